//! Which fields are meant: JSON Pointers (RFC 6901) with two wildcards. `*` stands for any one
//! member or element, `**` for any number of levels, none included. Both also match members that
//! are really called so.

/// One step of a pointer.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Name(String),
    Any,
    AnyDepth,
}

/// What happens to a field that is meant. The greater one wins where two pointers meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Its value is replaced.
    Mask,
    /// It goes, with its name.
    Remove,
}

/// A pointer and how far into it the path so far has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    rule: usize,
    segment: usize,
}

/// All pointers of one configuration.
#[derive(Debug, Default)]
pub struct Rules(Vec<(Vec<Segment>, Action)>);

impl Rules {
    /// Adds a pointer. It must begin with `/`: the whole payload is not a field.
    pub fn add(&mut self, pointer: &str, action: Action) -> Result<(), String> {
        let Some(rest) = pointer.strip_prefix('/') else {
            return Err(format!(
                "'{pointer}' is not a JSON pointer to a field: it must begin with '/'"
            ));
        };
        let segments: Vec<_> = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        if segments.last() == Some(&Segment::AnyDepth) {
            return Err(format!(
                "'{pointer}' ends with '**': name the field, or use '*'"
            ));
        }
        self.0.push((segments, action));
        Ok(())
    }

    /// Where every pointer stands at the payload itself.
    pub fn start(&self) -> Vec<Place> {
        (0..self.0.len())
            .map(|rule| Place { rule, segment: 0 })
            .collect()
    }

    /// Goes down one level, to the member or element `name`: what to do with it, and the places
    /// from which to go on inside it.
    pub fn step(&self, places: &[Place], name: &str) -> (Option<Action>, Vec<Place>) {
        let mut action = None;
        let mut inside = Vec::new();
        for &place in places {
            self.follow(place, name, &mut action, &mut inside);
        }
        (action, inside)
    }

    fn follow(
        &self,
        place: Place,
        name: &str,
        action: &mut Option<Action>,
        inside: &mut Vec<Place>,
    ) {
        let (segments, wanted) = &self.0[place.rule];
        let next = Place {
            segment: place.segment + 1,
            ..place
        };
        match &segments[place.segment] {
            Segment::AnyDepth => {
                if !inside.contains(&place) {
                    inside.push(place);
                }
                self.follow(next, name, action, inside);
            }
            Segment::Name(expected) if expected != name => {}
            Segment::Name(_) | Segment::Any => {
                if next.segment == segments.len() {
                    *action = (*action).max(Some(*wanted));
                } else if !inside.contains(&next) {
                    inside.push(next);
                }
            }
        }
    }
}

fn segment(text: &str) -> Result<Segment, String> {
    match text {
        "*" => Ok(Segment::Any),
        "**" => Ok(Segment::AnyDepth),
        _ => unescape(text).map(Segment::Name),
    }
}

fn unescape(text: &str) -> Result<String, String> {
    let mut name = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            '~' => match chars.next() {
                Some('0') => name.push('~'),
                Some('1') => name.push('/'),
                _ => return Err(format!("'{text}' has a '~' that is neither '~0' nor '~1'")),
            },
            other => name.push(other),
        }
    }
    Ok(name)
}
