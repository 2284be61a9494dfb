//! Floor 1: when an endpoint is given up.
