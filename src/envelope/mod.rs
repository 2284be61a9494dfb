//! Floor 1: how a delivery's body is wrapped.
