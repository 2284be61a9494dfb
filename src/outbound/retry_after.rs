//! `Retry-After`, as a receiver may send it with 429 or 503 (RFC 9110 §10.2.3).
//!
//! Only reads the header; whether and how far it is honoured is the retry policy's affair.

use std::time::UNIX_EPOCH;

use http::HeaderValue;

use crate::model::Timestamp;

/// What a receiver asked for, in the form it asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryAfter {
    /// Seconds after the answer.
    DelayS(i64),
    /// At a time, by the receiver's clock.
    At(Timestamp),
}

impl RetryAfter {
    /// Reads `delay-seconds` or an HTTP-date in any of its three forms (RFC 9110 §5.6.7).
    /// `None` for anything else: a header that can't be read is as good as none. A delay beyond
    /// an `i64` of seconds is the longest there is.
    pub fn parse(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?.trim();
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(Self::DelayS(text.parse().unwrap_or(i64::MAX)));
        }
        let time = httpdate::parse_http_date(text).ok()?;
        let ms = time.duration_since(UNIX_EPOCH).ok()?.as_millis();
        Some(Self::At(Timestamp::from_ms(i64::try_from(ms).ok()?)))
    }

    /// Milliseconds to wait from `now`, the time of the answer; 0 if the time has passed.
    pub fn wait_ms(self, now: Timestamp) -> i64 {
        match self {
            Self::DelayS(delay_s) => delay_s.saturating_mul(1000),
            Self::At(time) => time.ms_since(now).max(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().expect("a time");
        for (text, wait_ms) in [
            ("0", Some(0)),
            ("120", Some(120_000)),
            (" 7 ", Some(7000)),
            ("99999999999999999999", Some(i64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7000)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7000)),
            ("Sun Nov  6 08:49:37 1994", Some(7000)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("", None),
            ("-1", None),
            ("+1", None),
            ("1.5", None),
            ("soon", None),
            ("1994-11-06T08:49:37Z", None),
        ] {
            let parsed = RetryAfter::parse(&HeaderValue::from_static(text));
            assert_eq!(parsed.map(|after| after.wait_ms(now)), wait_ms, "{text}");
        }
    }
}
