//! The name that somebody probably meant.

/// The one of `names` that `wrong` is a slip of: the same but for case, or with few letters added, left out,
/// changed or exchanged.
pub(super) fn nearest<'n>(
    wrong: &str,
    names: impl IntoIterator<Item = &'n str>,
) -> Option<&'n str> {
    let slips_max = (wrong.chars().count() / 3).clamp(1, 3);
    names
        .into_iter()
        .map(|name| (slips(wrong, name), name))
        .filter(|(slips, _)| *slips <= slips_max)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, name)| name)
}

/// How many letters have to be added, left out, changed, or exchanged with their neighbour.
fn slips(one: &str, other: &str) -> usize {
    let letters = |text: &str| text.to_lowercase().chars().take(100).collect::<Vec<_>>();
    let (one, other) = (letters(one), letters(other));
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, against) in other.iter().enumerate() {
            let changed = last[column] + usize::from(letter != against);
            let mut fewest = changed.min(last[column + 1] + 1).min(next[column] + 1);
            let exchanged =
                row > 0 && column > 0 && *letter == other[column - 1] && one[row - 1] == *against;
            if exchanged {
                fewest = fewest.min(before[column - 1] + 1);
            }
            next.push(fewest);
        }
        before = std::mem::replace(&mut last, next);
    }
    last[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let names = ["amount", "stage", "owner", "currency"];
        for (wrong, meant) in [
            ("amout", Some("amount")),
            ("amuont", Some("amount")),
            ("Stage", Some("stage")),
            ("curency", Some("currency")),
            ("onwer", Some("owner")),
            ("price", None),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, names), meant, "{wrong}");
        }
    }
}
