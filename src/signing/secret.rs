//! Secret bytes: overwritten when dropped, compared in constant time, never shown by `Debug`.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Bytes that nobody should see by accident.
///
/// There is no `Display` and no `Serialize`: who wants the bytes says [`Secret::expose`].
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; they are overwritten when the secret is dropped.
    pub fn new(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// In constant time for texts of equal length; the length itself is not secret.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_equal_by_its_bytes_and_never_shown() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(secret, Secret::new(b"hunter2".to_vec()));
        assert_ne!(secret, Secret::new(b"hunter3".to_vec()));
        assert_ne!(secret, Secret::new(b"hunter".to_vec()));
        assert_eq!(
            format!("{secret:?} {secret:#?}"),
            "Secret(hidden) Secret(hidden)"
        );
        assert_eq!(secret.expose(), b"hunter2");
    }
}
