//! Names, patterns, and the index that answers as they do.

use proptest::prelude::*;

use super::*;
use crate::model::Timestamp;

fn event_type(text: &str) -> EventType {
    text.parse().expect("a valid event type")
}

#[test]
fn a_name_that_is_wrong_says_what_to_do() {
    let cases = [
        ("", "is empty"),
        (".deal", "empty segment"),
        ("deal.", "empty segment"),
        ("deal..won", "empty segment"),
        ("deal.*", "'*'"),
        ("deal won", "' '"),
        ("deal/won", "'/'"),
        ("déal", "'é'"),
        ("deal\0", "'\\0'"),
        (&"a".repeat(201), "201 bytes: 200 at most"),
    ];
    for (text, message) in cases {
        let error = text.parse::<EventType>().expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
    for text in [
        "a",
        "deal.stage.changed",
        "GitHub.issue_comment.created-2",
        &"a".repeat(200),
    ] {
        assert_eq!(event_type(text).to_string(), text);
    }
}

#[test]
fn a_star_is_the_whole_pattern_or_its_whole_end() {
    for text in ["*", "deal.*", "deal.stage.*", "deal.updated"] {
        assert_eq!(text.parse::<Pattern>().expect(text).to_string(), text);
    }
    for text in [
        "",
        ".*",
        "*.deal",
        "deal*",
        "deal.*.won",
        "deal.**",
        "**",
        "deal.*.*",
    ] {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
    let error = "deal.*.won"
        .parse::<Pattern>()
        .expect_err("a star in the middle");
    assert!(error.to_string().contains("'deal.*.won'"), "{error}");
}

#[test]
fn what_is_under_a_name_is_not_the_name_itself() {
    let cases = [
        ("*", "deal", true),
        ("deal.*", "deal.updated", true),
        ("deal.*", "deal.stage.changed", true),
        ("deal.*", "deal", false),
        ("deal.*", "dealer.updated", false),
        ("deal.*", "Deal.updated", false),
        ("deal.stage.*", "deal.updated", false),
        ("deal.updated", "deal.updated", true),
        ("deal.updated", "deal.updated.twice", false),
        ("*", "throwbar.endpoint.disabled", false),
        ("*", "throwbar", true),
        ("*", "throwbars.endpoint", true),
        ("throwbar.*", "throwbar.endpoint.disabled", true),
        (
            "throwbar.endpoint.failing",
            "throwbar.endpoint.failing",
            true,
        ),
    ];
    for (pattern, name, expected) in cases {
        let pattern: Pattern = pattern.parse().expect("valid");
        assert_eq!(
            pattern.matches(&event_type(name)),
            expected,
            "{pattern} {name}"
        );
    }
}

#[test]
fn patterns_are_text_in_json() {
    let patterns: Vec<Pattern> = serde_json::from_str(r#"["deal.*","*"]"#).expect("valid");
    assert_eq!(
        serde_json::to_string(&patterns).expect("text"),
        r#"["deal.*","*"]"#
    );
    assert!(serde_json::from_str::<Pattern>(r#""a b""#).is_err());
}

#[test]
fn one_trigger_under_two_matching_patterns_is_answered_twice() {
    let mut index = PatternIndex::new();
    for pattern in ["deal.updated", "deal.*", "contact.*"] {
        index.insert(&pattern.parse().expect("valid"), "automation");
    }
    assert_eq!(index.candidates(&event_type("deal.updated")).count(), 2);
    assert_eq!(index.candidates(&event_type("deal.created")).count(), 1);
    assert_eq!(index.candidates(&event_type("message.sent")).count(), 0);
}

proptest! {
    #[test]
    fn the_index_answers_as_the_patterns_do(
        names in prop::collection::vec("[ab]{1,2}(\\.[ab]{1,2}){0,3}", 1..20),
        asked in "(throwbar\\.)?[ab]{1,2}(\\.[ab]{1,2}){0,3}",
    ) {
        let mut index = PatternIndex::new();
        let mut patterns = vec![Pattern::All];
        for name in names {
            patterns.push(Pattern::Exact(event_type(&name)));
            patterns.push(Pattern::Under(event_type(&name)));
        }
        for (no, pattern) in patterns.iter().enumerate() {
            index.insert(pattern, no);
        }
        let asked = event_type(&asked);
        let mut answered: Vec<_> = index.candidates(&asked).copied().collect();
        answered.sort_unstable();
        let expected: Vec<_> =
            (0..patterns.len()).filter(|no| patterns[*no].matches(&asked)).collect();
        prop_assert_eq!(answered, expected);
    }
}

#[test]
fn what_an_own_schedule_makes_only_its_whole_name_meets() {
    let owner = AutomationId::mint(Timestamp::from_ms(1));
    let own = EventType::of_own_schedule(owner);
    let mut index = PatternIndex::new();
    for (pattern, expected) in [
        ("*".to_owned(), false),
        ("schedule.*".to_owned(), false),
        (own.to_string(), true),
    ] {
        let pattern: Pattern = pattern.parse().expect("valid");
        assert_eq!(pattern.matches(&own), expected, "{pattern}");
        index.insert(&pattern, pattern.to_string());
    }
    let found: Vec<&String> = index.candidates(&own).collect();
    assert_eq!(found, [own.as_str()]);
    assert_eq!(index.candidates(&event_type("schedule.nightly")).count(), 2);
}
