//! The only place where random bytes for secrets come from: the cryptographic generator of
//! aws-lc, seeded by the operating system.

use super::Error;

/// `N` random bytes that nobody can guess.
pub fn bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| Error::Random)?;
    Ok(bytes)
}
