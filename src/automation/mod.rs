//! Floor 1: event patterns and conditions.
