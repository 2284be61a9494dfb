//! Floor 2: the sandbox.
