//! Floor 1: signature schemes.
