//! Floor 2: everything SQL.
