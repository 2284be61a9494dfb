//! Floor 2: the guarded way out.
