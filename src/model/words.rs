//! Enums of which each value is one word: the word stands in one place, for writing and for reading.

/// Gives an enum without fields its words: `ALL`, `as_str` and `from_word`.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),* $(,)? }) => {
        #[allow(dead_code, reason = "not each of them is listed and read back")]
        impl $type {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The value with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Colour {
        Red,
        LightBlue,
    }

    words!(Colour {
        Red = "red",
        LightBlue = "light-blue",
    });

    #[test]
    fn a_word_and_back() {
        for colour in Colour::ALL {
            assert_eq!(Colour::from_word(colour.as_str()), Some(*colour));
        }
        assert_eq!(Colour::LightBlue.as_str(), "light-blue");
        assert_eq!(Colour::from_word("Red"), None);
    }
}
