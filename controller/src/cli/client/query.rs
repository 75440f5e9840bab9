//! Paths and what follows the `?`.

use std::fmt::Write as _;

/// A path with parameters.
#[derive(Clone)]
pub(in crate::cli) struct Query {
    target: String,
    has_any: bool,
}

impl Query {
    /// `path` without parameters.
    pub(in crate::cli) fn of(path: &str) -> Self {
        Self {
            target: path.to_owned(),
            has_any: false,
        }
    }

    /// With `name=value`.
    pub(in crate::cli) fn with(mut self, name: &str, value: impl AsRef<str>) -> Self {
        self.target.push(if self.has_any { '&' } else { '?' });
        self.has_any = true;
        self.target.push_str(name);
        self.target.push('=');
        encode(&mut self.target, value.as_ref());
        self
    }

    /// The same when there is a value.
    pub(in crate::cli) fn maybe(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same for each value.
    pub(in crate::cli) fn each(mut self, name: &str, values: &[impl AsRef<str>]) -> Self {
        for value in values {
            self = self.with(name, value);
        }
        self
    }
}

impl From<Query> for String {
    fn from(query: Query) -> Self {
        query.target
    }
}

/// Everything but what a query takes as it is.
fn encode(into: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            write!(into, "%{byte:02X}").expect("a string takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn values_can_hold_anything() {
        let query = Query::of("/peers")
            .with("q", "a b&c=d/é")
            .maybe("x", None::<&str>);
        let query = query.each("label", &["a=1", "b=2"]);
        assert_eq!(
            String::from(query),
            "/peers?q=a%20b%26c%3Dd%2F%C3%A9&label=a%3D1&label=b%3D2"
        );
    }
}
