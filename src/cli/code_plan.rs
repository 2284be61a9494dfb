//! A plan as a person reads it: what is made, changed and removed, field by field; what somebody has changed in
//! between; and what stays.

use std::io::Write;

use serde_json::Value;

use super::paint;

/// Changes that are told of one thing.
const CHANGES_TOLD_MAX: usize = 40;
/// Longest value on one line.
const SHOWN_CHARS_MAX: usize = 100;
/// Lines that are told of one text.
const LINES_TOLD_MAX: usize = 40;

fn entries(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// One of a section, in words.
fn noun(section: &str) -> &'static str {
    match section {
        "event_types" => "event type",
        "retry_policies" => "retry policy",
        "failure_policies" => "failure policy",
        "variables" => "variable",
        "profiles" => "profile",
        "endpoints" => "endpoint",
        "schedules" => "schedule",
        _ => "automation",
    }
}

/// Tells a plan.
pub(super) fn tell(out: &mut impl Write, plan: &Value) -> std::io::Result<()> {
    for step in entries(&plan["steps"]) {
        tell_step(out, step)?;
    }
    for gone in entries(&plan["gone"]) {
        let (noun, name) = (
            noun(text(gone, "section")),
            paint::cut(text(gone, "name"), 80),
        );
        let line = format!("! {noun} {name}: removed in the account, and not in the file any more");
        writeln!(out, "{}", paint::warn(&line))?;
    }
    let left: Vec<String> = entries(&plan["left"])
        .map(|left| {
            let (noun, name) = (noun(text(left, "section")), text(left, "name"));
            format!("{noun} {}", paint::cut(name, 80))
        })
        .collect();
    if !left.is_empty() {
        let line = format!("! not in the file any more, and kept: {}", left.join(", "));
        writeln!(out, "{}", paint::warn(&line))?;
        writeln!(out, "  --prune removes what an earlier file had")?;
    }
    writeln!(out, "{} {}", paint::strong("Plan:"), text(plan, "summary"))?;
    let others: u64 = entries(&plan["others"])
        .filter_map(|it| it["count"].as_u64())
        .sum();
    match others {
        0 => Ok(()),
        1 => writeln!(
            out,
            "{}",
            paint::faint("1 other that no file has named stays as it is")
        ),
        many => {
            let line = format!(
                "{} others that no file has named stay as they are",
                paint::thousands(many)
            );
            writeln!(out, "{}", paint::faint(&line))
        }
    }
}

fn tell_step(out: &mut impl Write, step: &Value) -> std::io::Result<()> {
    let has_drift = !step["drift"].is_null();
    let mark = match text(step, "action") {
        "create" => paint::good("+"),
        "change" => paint::warn("~"),
        "remove" => paint::bad("-"),
        // What is as it shall be is only counted, unless there is something to say of it.
        _ if has_drift => " ".to_owned(),
        _ => return Ok(()),
    };
    let noun = noun(text(step, "section"));
    let name = paint::strong(&paint::cut(text(step, "name"), 80));
    let id = match step["id"].as_str() {
        Some(id) => format!("  {}", paint::faint(id)),
        None => String::new(),
    };
    writeln!(out, "{mark} {noun} {name}{id}")?;
    tell_changes(out, &step["changes"], 4)?;
    if let Some(more) = step["changes_left_out"].as_u64().filter(|more| *more > 0) {
        writeln!(out, "    and {} more", paint::thousands(more))?;
    }
    for warning in entries(&step["warnings"]) {
        let said = paint::cut(text(warning, "message"), 2 * SHOWN_CHARS_MAX);
        writeln!(out, "    {} {said}", paint::warn("warning:"))?;
    }
    if has_drift {
        tell_drift(out, &step["drift"])?;
    }
    Ok(())
}

fn tell_drift(out: &mut impl Write, drift: &Value) -> std::io::Result<()> {
    let who = drift["by"]["name"].as_str().unwrap_or("somebody");
    let who = paint::cut(who, 60);
    if drift["removed"] == true {
        let line = "! somebody has removed it since it was applied";
        return writeln!(out, "    {}", paint::warn(line));
    }
    let at = match drift["at"].as_str() {
        Some(at) => format!(" at {at}"),
        None => String::new(),
    };
    let line = format!("! {who} has changed it since it was applied{at}:");
    writeln!(out, "    {}", paint::warn(&line))?;
    tell_changes(out, &drift["changes"], 6)
}

/// Each field on a line of its own, or in several where its text has several.
fn tell_changes(out: &mut impl Write, changes: &Value, indent: usize) -> std::io::Result<()> {
    let pad = " ".repeat(indent);
    for change in entries(changes).take(CHANGES_TOLD_MAX) {
        let pointer = paint::cut(text(change, "pointer"), 80);
        let (before, after) = (change.get("before"), change.get("after"));
        let has_lines = |side: Option<&Value>| {
            side.and_then(Value::as_str)
                .is_some_and(|text| text.contains('\n'))
        };
        if has_lines(before) || has_lines(after) {
            writeln!(out, "{pad}{}", paint::faint(&pointer))?;
            for (mark, side) in [(paint::bad("-"), before), (paint::good("+"), after)] {
                for line in lines(side) {
                    writeln!(out, "{pad}  {mark} {line}")?;
                }
            }
            continue;
        }
        let pointer = paint::faint(&pointer);
        let told = match (before, after) {
            (None, after) => format!("{} {}", paint::good("+"), shown(after)),
            (before, None) => format!("{} {}", paint::bad("-"), shown(before)),
            (before, after) => format!("{} → {}", shown(before), shown(after)),
        };
        writeln!(out, "{pad}{pointer} {told}")?;
    }
    let more = entries(changes).count().saturating_sub(CHANGES_TOLD_MAX);
    if more > 0 {
        writeln!(out, "{pad}and {more} more")?;
    }
    Ok(())
}

fn lines(side: Option<&Value>) -> Vec<String> {
    let Some(value) = side else {
        return Vec::new();
    };
    let whole = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let lines = whole.lines().take(LINES_TOLD_MAX);
    lines
        .map(|line| paint::cut(line, SHOWN_CHARS_MAX))
        .collect()
}

fn shown(side: Option<&Value>) -> String {
    side.map_or_else(String::new, |value| {
        paint::cut(&value.to_string(), SHOWN_CHARS_MAX)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_told_as_a_difference() {
        let plan = json!({
            "summary": "1 to create, 1 to change, 1 to remove, 7 unchanged",
            "steps": [
                {"section": "endpoints", "name": "crm", "id": null, "action": "create",
                 "changes": [{"pointer": "/url", "after": "https://crm.example"}], "drift": null},
                {"section": "automations", "name": "Big deals", "id": "aut_1", "action": "change",
                 "changes": [
                    {"pointer": "/condition", "before": "a >\n  1", "after": "a > 2"},
                    {"pointer": "/alert_after", "before": 3},
                    {"pointer": "/enabled", "before": true, "after": false}],
                 "warnings": [{"message": "there is no field b"}],
                 "drift": {"removed": false, "by": {"name": "ops"}, "at": "2026-05-04T10:30:00Z",
                    "changes": [{"pointer": "/alert_after", "after": 3}]}},
                {"section": "variables", "name": "least", "id": null, "action": "unchanged", "drift": null},
                {"section": "schedules", "name": "nightly", "id": "sch_1", "action": "remove", "drift": null},
            ],
            "gone": [{"section": "event_types", "name": "deal.won"}],
            "left": [{"section": "endpoints", "name": "old"}],
            "others": [{"section": "automations", "count": 1200}, {"section": "endpoints", "count": 34}],
        });
        let mut out = Vec::new();
        tell(&mut out, &plan).expect("memory takes it");
        let wanted = "+ endpoint crm\n\
            \x20   /url + \"https://crm.example\"\n\
            ~ automation Big deals  aut_1\n\
            \x20   /condition\n\
            \x20     - a >\n\
            \x20     -   1\n\
            \x20     + a > 2\n\
            \x20   /alert_after - 3\n\
            \x20   /enabled true → false\n\
            \x20   warning: there is no field b\n\
            \x20   ! ops has changed it since it was applied at 2026-05-04T10:30:00Z:\n\
            \x20     /alert_after + 3\n\
            - schedule nightly  sch_1\n\
            ! event type deal.won: removed in the account, and not in the file any more\n\
            ! not in the file any more, and kept: endpoint old\n\
            \x20 --prune removes what an earlier file had\n\
            Plan: 1 to create, 1 to change, 1 to remove, 7 unchanged\n\
            1,234 others that no file has named stay as they are\n";
        assert_eq!(String::from_utf8(out).expect("text"), wanted);
    }
}
