//! probe
use super::*;
use std::time::Instant;
#[test]
fn probe() {
    let deep = |open: &str, close: &str, n: usize| format!("{}1{}", open.repeat(n), close.repeat(n));
    let mut cases = vec![
        ("parens", deep("(", ")", 16)), ("parens_call", deep("size(", ")", 16)), ("lists", deep("[", "]", 16)),
        ("index", format!("event.data{}1{}", "[event.data".repeat(16), "]".repeat(16))),
        ("unclosed", "(".repeat(16)),
        ("paren_and", format!("{}1{}", "(true && ".repeat(16), ")".repeat(16))),
        ("paren_tern", format!("{}1{}", "(true ? ".repeat(8), " : false)".repeat(8))),
        ("tern", format!("{}1{}", "true ? ".repeat(8), " : false".repeat(8))),
        ("bangs", "!!!!true && ".repeat(300)+"true"),
        ("ands", "event.data.a && ".repeat(240)+"true"),
        ("parenands", "(a) && ".repeat(580)+"true"),
        ("ors", "a||".repeat(1300)+"true"),
        ("list", format!("event.data.a in [{}1]", "1,".repeat(999))),
        ("chain", format!("a{} == 1", ".b".repeat(46))),
        ("plus", format!("a{} == 1", "+1".repeat(46))),
        ("words", "a ".repeat(2000)),
        ("colons", "::".repeat(2000)), ("dots", ".&&".repeat(1300)), ("braces", "{".repeat(16)), ("commas", ",".repeat(4000)),
        ("structs", "a{".repeat(16)), ("maps", "{1:".repeat(16)+"1"+&"}".repeat(16)),
        ("nestedmix", "(a[".repeat(8)+"1"+&"])".repeat(8)),
        ("mixall", ("(((((((((((((((a)))))))))))))))&&").repeat(120)+"true"),
        ("mixidx", ("a[a[a[a[a[a[a[a[a]]]]]]]]&&").repeat(140)+"true"),
        ("mixcall", ("f(f(f(f(f(f(f(f(f(f(f(f(a))))))))))))&&").repeat(100)+"true"),
        ("unclosedmix", ("(((((((((((((((a&&").repeat(1)+&"b&&".repeat(1000)),
        ("choices", "a?b:c,".repeat(8)),
    ];
    cases.push(("in", "1 in ".repeat(46)+"[1]"));
    for (name, text) in &cases {
        let at = Instant::now();
        let r = nesting::check(text).map_err(|e| e.to_string()).and_then(|()| check::check(text).map(|_|()).map_err(|e| e.to_string()));
        println!("{name:12} {:8.2?} {} {:?}", at.elapsed(), text.len(), r.map_err(|e| e.chars().take(150).collect::<String>()));
        let at = Instant::now();
        let _ = check::check(text);
        println!("      again {:8.2?}", at.elapsed());
    }
}
#[test]
fn probe_words() {
    for text in ["event.data.a = 1", "event.data.a == 1 and true", "event.data.x ==", "event.data.ü == 1", "\"ü\" == foo", "event.data.a == 'x", "a b", "event.data.a == 1 & true", "not event.data.a", "event.data.items.all(x, y)", "x.foo()", "event.data.a > 5u", "has(1)", "event", "event.foo == 1", "event.data.a + 1", "(event.data.a", "event.data.a)", "event.data.`a-b` == 1", "event.data.?a == 1", "{'a': 1} == 1", "event.data.for == 1", "99999999999999999999 == 1", "event.data.a.all(x, x.b.all(y, true))","timestamp('x') < event.timestamp", "-9223372036854775808 == 1", "event.data.a == 1\n  && foo", "event.data.x.exists(x)", "startsWith('a','b')", "event.timestamp.getHours('Europe/Nowhere') == 1", "event.data.a == 'ü' && foo"] {
        println!("{text:40} -> {}", match Condition::parse(text) { Ok(c) => format!("OK {}", c.expression), Err(e) => e.to_string() });
    }
}
