//! Floor 1: when the next attempt is due.
