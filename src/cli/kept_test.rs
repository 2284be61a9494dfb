//! `automation run-tests`: the tests that are kept with a version, run, and what came of each.

use std::io::Write;
use std::process::ExitCode;

use serde_json::Value;

use super::client::{ApiClient, ApiOptions, Body};
use super::paint;
use crate::model::AutomationId;

/// Longest text from a test on one line.
const SHOWN_CHARS_MAX: usize = 400;

/// Of which version of which automation.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Nothing is sent or stored. Exit codes: 0, all tests pass; 3, one fails at least."
)]
pub(super) struct RunTestsOptions {
    #[command(flatten)]
    client: ApiOptions,
    /// Which: aut_…
    #[arg(value_name = "ID")]
    id: AutomationId,
    /// The version's number [default: the newest].
    #[arg(value_name = "VERSION")]
    number: Option<i64>,
    /// Tell it in JSON.
    #[arg(long)]
    json: bool,
}

/// Does it.
pub(super) async fn run(options: &RunTestsOptions) -> anyhow::Result<ExitCode> {
    let client = ApiClient::open(&options.client)?;
    let automation = format!("/v1/automations/{}", options.id);
    let number = match options.number {
        Some(number) => Value::from(number),
        None => client.get(&automation).await?["version"].clone(),
    };
    let path = format!("{automation}/versions/{number}/tests/run");
    let answer = client.post(&path, Body::empty()).await?;
    let mut out = std::io::stdout();
    if options.json {
        writeln!(out, "{answer}")?;
    } else {
        tell(&mut out, &answer)?;
    }
    Ok(if answer["passed"] == true {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(super::EXIT_NO)
    })
}

/// Tells what came to a person.
fn tell(out: &mut impl Write, answer: &Value) -> std::io::Result<()> {
    let version = &answer["version"];
    let tests = answer["data"].as_array().map_or(&[][..], Vec::as_slice);
    if tests.is_empty() {
        let mark = paint::warn("–");
        return writeln!(out, "{mark} no tests are kept with version {version}");
    }
    for test in tests {
        writeln!(out, "{}", line(test))?;
    }
    let failed = tests.iter().filter(|test| test["passed"] != true).count();
    if failed > 0 {
        let (failed, all) = (failed as u64, paint::counted(tests.len() as u64, "test"));
        let failed = paint::thousands(failed);
        writeln!(out, "{failed} of {all} of version {version} failed")?;
    }
    Ok(())
}

/// One test, and what came where it failed.
fn line(test: &Value) -> String {
    let said = |pointer: &str| {
        let found = test.pointer(pointer).and_then(Value::as_str);
        paint::cut(found.unwrap_or_default(), SHOWN_CHARS_MAX)
    };
    let name = said("/name");
    if test["passed"] == true {
        return format!("{} {name}", paint::good("✓"));
    }
    let (wanted, came) = (said("/expected/verdict"), said("/came/verdict"));
    let why = if wanted == came {
        let outputs = |side: &Value| paint::cut(&side["outputs"].to_string(), SHOWN_CHARS_MAX);
        let (wanted, came) = (outputs(&test["expected"]), outputs(&test["came"]));
        format!("it expects the outputs {wanted}, and {came} came")
    } else {
        format!(
            "it expects {wanted}, and {came} came ({})",
            said("/came/summary")
        )
    };
    format!("{} {name}: {why}", paint::bad("✗"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(answer: &Value) -> String {
        let mut out = Vec::new();
        tell(&mut out, answer).expect("memory takes it");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn what_came_is_told_test_by_test() {
        let test = |name: &str, passed: bool, came: &str, outputs: Value| {
            json!({
                "name": name, "passed": passed, "expected": {"verdict": "fired", "outputs": [1]},
                "came": {"verdict": came, "summary": "too small", "outputs": outputs},
            })
        };
        let tests = json!([
            test("one", true, "fired", json!([1])),
            test("two", false, "filtered", json!([])),
            test("three", false, "fired", json!([2])),
        ]);
        let answer = json!({"version": 4, "passed": false, "data": tests});
        assert_eq!(
            told(&answer),
            "✓ one\n\
             ✗ two: it expects fired, and filtered came (too small)\n\
             ✗ three: it expects the outputs [1], and [2] came\n\
             2 of 3 tests of version 4 failed\n"
        );
        let none = json!({"version": 4, "passed": true, "data": []});
        assert_eq!(told(&none), "– no tests are kept with version 4\n");
    }
}
