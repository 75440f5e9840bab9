//! Named places where a test can make the program die, to prove that nothing acknowledged is lost.
//!
//! `WGFLEET_FAILPOINT=store.before_commit` aborts the process the first time that place is reached,
//! `…:3` the third time. Compiled in always, so that what is tested is what is shipped; unset, a
//! place costs one load.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// The variable that names the place.
pub const VARIABLE: &str = "WGFLEET_FAILPOINT";

struct Armed {
    name: String,
    hits_left: AtomicU64,
}

/// Marks a place by name. See [`mod@crate::failpoint`].
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::failpoint::reached($name)
    };
}

/// Aborts the process when this is the armed place and its turn has come.
pub fn reached(name: &str) {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let Some(armed) = ARMED.get_or_init(|| std::env::var(VARIABLE).ok().and_then(|v| parse(&v)))
    else {
        return;
    };
    if armed.name == name && armed.hits_left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

fn parse(value: &str) -> Option<Armed> {
    let (name, nth) = value.rsplit_once(':').unwrap_or((value, "1"));
    let nth = nth.parse().ok().filter(|nth| *nth > 0)?;
    Some(Armed {
        name: name.to_owned(),
        hits_left: AtomicU64::new(nth),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_may_have_a_turn() {
        let plain = parse("store.before_commit").expect("a name alone");
        assert_eq!(plain.name, "store.before_commit");
        assert_eq!(plain.hits_left.into_inner(), 1);
        let third = parse("store.before_commit:3").expect("a name and a turn");
        assert_eq!(third.hits_left.into_inner(), 3);
        assert!(parse("store.before_commit:0").is_none());
        assert!(parse("store.before_commit:x").is_none());
    }
}
