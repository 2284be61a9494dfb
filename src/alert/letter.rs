//! What a mail says, in parts, and how it is written: as text and as HTML, from the same parts. Names come from
//! users: in a subject they are on one line, in HTML they are escaped. Nothing is fetched from elsewhere.

use std::fmt::Write as _;

/// Longest subject.
const SUBJECT_CHARS_MAX: usize = 150;

/// Something to do, with the command that does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Deed {
    pub(super) what: String,
    pub(super) command: Option<String>,
}

/// A mail's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// What it is about, and what happened.
    pub(super) about: String,
    /// The same as a sentence.
    pub(super) headline: String,
    /// What is known, by its name.
    pub(super) facts: Vec<(&'static str, String)>,
    /// What the receiver said last, newest first.
    pub(super) answers: Vec<String>,
    /// What happens by itself.
    pub(super) next: Vec<String>,
    /// What can be done.
    pub(super) deeds: Vec<Deed>,
    /// Why the reader has this mail, and how to have none.
    pub(super) why: String,
}

impl Letter {
    /// One line without control characters.
    pub(super) fn subject(&self) -> String {
        let visible = self
            .about
            .chars()
            .map(|it| if it.is_control() { ' ' } else { it });
        visible.take(SUBJECT_CHARS_MAX).collect()
    }

    /// For readers of plain text.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{}\n\n", self.headline);
        let width = self.facts.iter().map(|(name, _)| name.len()).max();
        let width = width.unwrap_or(0);
        for (name, value) in &self.facts {
            let _ = writeln!(text, "{name:width$}  {value}");
        }
        section(&mut text, "Last answers", &self.answers);
        section(&mut text, "What happens next", &self.next);
        if !self.deeds.is_empty() {
            text.push_str("\nWhat you can do\n");
        }
        for deed in &self.deeds {
            let _ = writeln!(text, "  - {}", deed.what);
            if let Some(command) = &deed.command {
                let _ = writeln!(text, "\n      {command}\n");
            }
        }
        let _ = write!(text, "\n-- \n{}\n", self.why);
        text
    }

    /// For everybody else.
    pub(super) fn html(&self) -> String {
        let mut html = String::from(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"></head>\
             <body style=\"font-family:sans-serif;line-height:1.5;color:#1a1a1a;max-width:44em\">",
        );
        let _ = write!(
            html,
            "<p style=\"font-size:1.15em\"><strong>{}</strong></p><table style=\"border-spacing:0\">",
            escaped(&self.headline)
        );
        for (name, value) in &self.facts {
            let _ = write!(
                html,
                "<tr><td style=\"padding-right:1.5em;color:#555\">{name}</td><td>{}</td></tr>",
                escaped(value)
            );
        }
        html.push_str("</table>");
        list(&mut html, "Last answers", &self.answers);
        list(&mut html, "What happens next", &self.next);
        if !self.deeds.is_empty() {
            html.push_str("<h3>What you can do</h3><ul>");
            for deed in &self.deeds {
                let _ = write!(html, "<li>{}", escaped(&deed.what));
                if let Some(command) = &deed.command {
                    let _ = write!(
                        html,
                        "<pre style=\"background:#f4f4f4;padding:.6em;white-space:pre-wrap\">{}</pre>",
                        escaped(command)
                    );
                }
                html.push_str("</li>");
            }
            html.push_str("</ul>");
        }
        let _ = write!(
            html,
            "<p style=\"color:#555;font-size:.9em\">{}</p></body></html>",
            escaped(&self.why)
        );
        html
    }
}

fn section(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(text, "\n{title}");
    for line in lines {
        let _ = writeln!(text, "  {line}");
    }
}

fn list(html: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(html, "<h3>{title}</h3><ul>");
    for line in lines {
        let _ = write!(html, "<li>{}</li>", escaped(line));
    }
    html.push_str("</ul>");
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            it => safe.push(it),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(name: &str) -> Letter {
        Letter {
            about: format!("{name}: switched off"),
            headline: format!("{name} was switched off."),
            facts: vec![("Endpoint", name.to_owned()), ("Host", "a.test".to_owned())],
            answers: Vec::new(),
            next: vec!["Nothing.".to_owned()],
            deeds: vec![Deed {
                what: "Mend it".to_owned(),
                command: Some("curl \"$THROWBAR_URL\"".to_owned()),
            }],
            why: "You own it.".to_owned(),
        }
    }

    #[test]
    fn what_a_name_says_stays_a_name() {
        let hostile = letter("<img src=//x onerror='a()'>\r\nBcc: b@c.test");
        assert!(!hostile.subject().contains(['\r', '\n']));
        let html = hostile.html();
        assert!(!html.contains("<img") && !html.contains("'a()'"), "{html}");
        assert!(html.contains("&lt;img src=//x onerror=&#39;a()&#39;&gt;"));
        assert!(letter(&"n".repeat(1000)).subject().len() <= SUBJECT_CHARS_MAX);
    }

    #[test]
    fn the_text_has_every_part() {
        let expected = "CRM was switched off.\n\nEndpoint  CRM\nHost      a.test\n\n\
            What happens next\n  Nothing.\n\nWhat you can do\n  - Mend it\n\n      curl \"$THROWBAR_URL\"\n\n\
            \n-- \nYou own it.\n";
        assert_eq!(letter("CRM").text(), expected);
    }
}
