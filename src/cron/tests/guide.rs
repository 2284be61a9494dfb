//! The guide, `docs/schedules.md`, kept true: what it says of each pattern is what is said of it.

use super::*;

const GUIDE: &str = include_str!("../../../docs/schedules.md");

#[test]
fn the_guide_s_patterns_say_what_it_says() {
    let mut seen = 0;
    let mut of_patterns = false;
    for line in GUIDE.lines() {
        match line.strip_prefix("```") {
            Some(language) => of_patterns = language == "cron",
            None if !of_patterns => {}
            None => {
                let (cron, said) = line.split_once(" // ").expect("what is said of it");
                let precision = if cron.split_ascii_whitespace().count() == 6 {
                    Precision::Seconds
                } else {
                    Precision::Minutes
                };
                let found = Pattern::parse(cron, precision).and_then(|pattern| {
                    let calendar = Calendar {
                        pattern,
                        zone: "UTC".parse()?,
                        policy: DstPolicy::default(),
                    };
                    calendar.check(at("2026-05-04T00:00:00Z")).map(|()| pattern)
                });
                match (found, said.strip_prefix("refused: ")) {
                    (Ok(pattern), None) => assert_eq!(pattern.words(), said, "{cron}"),
                    (Err(error), Some(why)) => assert!(error.to_string().contains(why), "{error}"),
                    (found, _) => panic!("{cron}: {found:?}"),
                }
                seen += 1;
            }
        }
    }
    assert!(seen > 8, "{seen} patterns");
}
