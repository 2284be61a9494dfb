//! What names, ids and keys may be, everywhere the same.

use std::str::FromStr;

use super::{Error, Place};
use crate::alert;
use crate::model::limits::{
    CLIENT_KEY_BYTES_MAX, MAIL_ADDRESS_BYTES_MAX, NAME_BYTES_MAX, NOTIFIED_PER_ENDPOINT_MAX,
};

/// Longest note.
pub(super) const NOTE_BYTES_MAX: usize = 500;

/// The id with this text. Whatever else it is: nothing has it, so it is not found.
pub(super) fn id<I: FromStr>(text: &str, what: &'static str) -> Result<I, Error> {
    text.parse().map_err(|_| Error::NotFound(what))
}

/// The name or the number with this text. Whatever else it is: nothing has it, so it is not found.
pub(super) fn known_by<N: FromStr>(text: &str, missing: Error) -> Result<N, Error> {
    text.parse().map_err(|_| missing)
}

/// A name as it is written in a JSON pointer (RFC 6901).
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A name for people: not empty, bounded, on one line.
pub(super) fn name(text: &str, pointer: &str) -> Result<(), Error> {
    let why = if text.trim().is_empty() {
        "the name is empty: give one".to_owned()
    } else if text.len() > NAME_BYTES_MAX {
        format!(
            "the name has {} bytes: {NAME_BYTES_MAX} at most",
            text.len()
        )
    } else if text.chars().any(char::is_control) {
        "the name has control characters: remove them".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::field(pointer, why))
}

/// A mail address on its own, without a name beside it.
pub(super) fn mail(text: &str, pointer: &str) -> Result<(), Error> {
    let why = if text.len() > MAIL_ADDRESS_BYTES_MAX {
        format!(
            "the address has {} bytes: {MAIL_ADDRESS_BYTES_MAX} at most",
            text.len()
        )
    } else if !alert::is_address(text) {
        let shown: String = text.chars().take(80).collect();
        format!(
            "'{shown}' is not a mail address: write it as in ops@example.com, without a name, in ASCII"
        )
    } else {
        return Ok(());
    };
    Err(Error::field(pointer, why))
}

/// The addresses that an endpoint names for its alerts.
pub(super) fn notified(addresses: &[String]) -> Result<(), Error> {
    if addresses.len() > NOTIFIED_PER_ENDPOINT_MAX {
        let why = format!(
            "there are {} addresses: {NOTIFIED_PER_ENDPOINT_MAX} at most",
            addresses.len()
        );
        return Err(Error::field("/notify", why));
    }
    for (place, address) in addresses.iter().enumerate() {
        mail(address, &format!("/notify/{place}"))?;
    }
    Ok(())
}

/// A text for people that may be empty and have lines.
pub(super) fn description(text: &str, pointer: &str) -> Result<(), Error> {
    const BYTES_MAX: usize = 10_000;
    let has_nul = text.contains('\0');
    if has_nul || text.len() > BYTES_MAX {
        let why = format!(
            "this text has {} bytes, or NUL in it: {BYTES_MAX} at most, without NUL",
            text.len()
        );
        return Err(Error::field(pointer, why));
    }
    Ok(())
}

/// A word of an author's on what they have done: not empty, bounded.
pub(super) fn note(text: &str, pointer: &str) -> Result<(), Error> {
    if text.trim().is_empty() {
        let why = "the note is empty: leave it out, or say something";
        return Err(Error::field(pointer, why));
    }
    kept_words(text, pointer, "the note")
}

/// Bounds that everything has which authors say of what they have done; `what` it is, for the sentence.
pub(super) fn kept_words(text: &str, pointer: &str, what: &str) -> Result<(), Error> {
    let why = if text.len() > NOTE_BYTES_MAX {
        format!("{what} has {} bytes: {NOTE_BYTES_MAX} at most", text.len())
    } else if text.contains('\0') {
        format!("{what} has NUL in it: remove it")
    } else {
        return Ok(());
    };
    Err(Error::field(pointer, why))
}

/// An id or idempotency key that a client chose.
pub(super) fn client_key(text: &str, at: Place) -> Result<(), Error> {
    let why = if text.is_empty() {
        "it is empty: leave it out or give one".to_owned()
    } else if text.len() > CLIENT_KEY_BYTES_MAX {
        format!(
            "it has {} bytes: {CLIENT_KEY_BYTES_MAX} at most",
            text.len()
        )
    } else if text.chars().any(char::is_control) {
        "it has control characters: remove them".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::Invalid {
        code: "invalid_field",
        at,
        why,
    })
}

/// What an account is called by its owner's own system: it stands in URLs and headers.
pub(super) fn uid(text: &str, pointer: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if !(1..=NAME_BYTES_MAX).contains(&text.len()) || !text.bytes().all(fits) {
        let why = format!("a uid is 1 to {NAME_BYTES_MAX} ASCII letters, digits, '-', '_' and '.'");
        return Err(Error::field(pointer, why));
    }
    if text.starts_with("acc_") {
        return Err(Error::field(
            pointer,
            "a uid can't begin with 'acc_', as ids do: choose another",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EndpointId, EventId};

    #[test]
    fn names_and_keys_have_their_bounds() {
        let long = "n".repeat(NAME_BYTES_MAX + 1);
        for wrong in ["", "  ", "two\nlines", "nul\0", &long] {
            assert!(name(wrong, "/name").is_err(), "{wrong:?}");
        }
        assert!(name("Späte Deals → Chat", "/name").is_ok());
        for wrong in ["", " \n", "a\0b", &"n".repeat(NOTE_BYTES_MAX + 1)] {
            assert!(note(wrong, "/note").is_err(), "{wrong:?}");
        }
        assert!(note("Nur noch Großkunden,\nwie besprochen", "/note").is_ok());
        for wrong in ["", "a b", "ä", "acc_1", &long] {
            assert!(uid(wrong, "/uid").is_err(), "{wrong:?}");
        }
        assert!(uid("org-7_a.b", "/uid").is_ok());
        for wrong in ["", "a\0b", &"k".repeat(CLIENT_KEY_BYTES_MAX + 1)] {
            assert!(client_key(wrong, Place::body("/id")).is_err(), "{wrong:?}");
        }
        assert!(client_key("bestellung 7/ä", Place::body("/id")).is_ok());
    }

    #[test]
    fn a_mail_address_is_nothing_but_one() {
        let long = format!("{}@example.com", "n".repeat(MAIL_ADDRESS_BYTES_MAX));
        for wrong in [
            "",
            "ops",
            "ops@",
            "Ops <ops@example.com>",
            "a@example.com, b@example.com",
            "a@example.com\r\nBcc: b@example.com",
            "zoë@example.com",
            &long,
        ] {
            assert!(mail(wrong, "/owner_mail").is_err(), "{wrong:?}");
        }
        assert!(mail("ops+alerts@mail.example.com", "/owner_mail").is_ok());
    }

    #[test]
    fn an_id_of_another_kind_is_not_found() {
        let event = EventId::from_uuid(uuid::Uuid::nil()).to_string();
        assert!(id::<EventId>(&event, "event").is_ok());
        for wrong in [event.as_str(), "", "ep_", "../x"] {
            let error = id::<EndpointId>(wrong, "endpoint").expect_err(wrong);
            assert_eq!(error.code(), "not_found");
        }
    }
}
