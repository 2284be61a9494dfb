//! What becomes of each table's rows: decided in the guide to retention, or the table is not finished.

use std::collections::BTreeSet;

use crate::Fault;

const GUIDE: &str = "docs/retention.md";

/// The tables that the guide's own table names, a row's first column having one or several.
fn decided(guide: &str) -> BTreeSet<String> {
    let from = guide
        .lines()
        .skip_while(|line| !line.starts_with("| table |"));
    let rows = from.take_while(|line| line.starts_with('|')).skip(2);
    let firsts = rows.filter_map(|row| row.split('|').nth(1));
    let names = firsts.flat_map(|first| first.split('`').skip(1).step_by(2));
    names.map(str::to_owned).collect()
}

/// Tables without a decision, and decisions about tables that there are not.
pub fn undecided(tables: &BTreeSet<String>, guide: &str) -> Vec<Fault> {
    let decided = decided(guide);
    let missing = tables.difference(&decided).map(|table| {
        let remedy = format!(
            "nothing says when rows of `{table}` go: let something remove them, and say so in the table there"
        );
        Fault::new(GUIDE, 1, remedy)
    });
    let gone = decided.difference(tables).map(|table| {
        Fault::new(
            GUIDE,
            1,
            format!("there is no table `{table}`: take it out"),
        )
    });
    missing.chain(gone).collect()
}

#[test]
fn each_table_is_decided_once_it_stands_in_the_guide() {
    let tables = ["events", "bodies"].map(str::to_owned).into();
    let guide = "| `x` | |\n\n| table | goes |\n| --- | --- |\n| `events`, `bodies` | with `x` |\n";
    assert_eq!(undecided(&tables, guide), []);
    let faults = undecided(&tables, "| table | |\n| --- | --- |\n| `events`, `old` | |");
    let told: Vec<String> = faults.iter().map(Fault::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("`bodies`") && told[1].contains("`old`"));
}
