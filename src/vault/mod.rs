//! Floor 1: secrets sealed at rest.
