//! Named places where a test may make the process die, to see that nothing is lost there. In a
//! program built without the feature `crash-points` they are nothing.

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;

    static POINT: OnceLock<String> = OnceLock::new();

    /// Makes the process die at the place with this name. Only the first call counts.
    pub fn arm(name: &str) {
        let _ = POINT.set(name.to_owned());
    }

    /// Dies here if this is the place.
    pub(crate) fn crash_point(name: &str) {
        if POINT.get().is_some_and(|armed| armed == name) {
            std::process::abort();
        }
    }
}

#[cfg(feature = "crash-points")]
pub use armed::arm;
#[cfg(feature = "crash-points")]
pub(crate) use armed::crash_point;

#[cfg(not(feature = "crash-points"))]
pub(crate) fn crash_point(_name: &str) {}
