//! Sessions: what a browser's cookie stands for.
//!
//! They are kept in memory alone, under the hash of what the cookie holds, so that neither a dump of
//! this table nor a restart gives one away. Each sign-in makes a new one; what a browser brought along
//! before is never adopted.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderValue, header};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom as _, SystemRandom},
};
use subtle::ConstantTimeEq as _;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use super::peers::Job;

/// A session nobody used for so long is over.
const IDLE_END: Duration = Duration::from_secs(12 * 3600);
/// Sessions at a time; the one that was idle longest makes room.
const MAX_SESSIONS: usize = 4096;
const RANDOM_BYTES: usize = 32;

/// How the pages are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageOptions {
    /// Whether browsers come over TLS: cookies are then for TLS alone.
    pub secure: bool,
}

/// All that are open.
pub(in crate::facade) struct Sessions {
    open: Mutex<HashMap<Key, Arc<Session>>>,
    secure: bool,
}

type Key = [u8; 32];

/// One of them.
pub(in crate::facade) struct Session {
    /// The API token of who signed in.
    pub(super) token: Zeroizing<String>,
    /// What a form of this session holds.
    pub(super) csrf: String,
    /// Cancelled when it ends.
    pub(super) ended: CancellationToken,
    flash: Mutex<Option<String>>,
    /// Peers that are being added, or were.
    job: Mutex<Option<Arc<Job>>>,
    used: Mutex<Instant>,
}

impl Session {
    /// Whether `shown` is the token of its forms.
    pub(super) fn made(&self, shown: &str) -> bool {
        bool::from(self.csrf.as_bytes().ct_eq(shown.as_bytes()))
    }

    /// Leaves a sentence for the next page.
    pub(super) fn leave(&self, sentence: String) {
        *lock(&self.flash) = Some(sentence);
    }

    /// Takes what was left for this page.
    pub(super) fn take_left(&self) -> Option<String> {
        lock(&self.flash).take()
    }

    /// Begins to keep that one, instead of the one before.
    ///
    /// # Errors
    /// While the one before is not over.
    pub(super) fn begin(&self, job: &Arc<Job>) -> Result<(), ()> {
        let mut kept = lock(&self.job);
        if kept.as_ref().is_some_and(|kept| !kept.is_over()) {
            return Err(());
        }
        *kept = Some(Arc::clone(job));
        Ok(())
    }

    /// The last one.
    pub(super) fn job(&self) -> Option<Arc<Job>> {
        lock(&self.job).clone()
    }

    fn is_idle(&self) -> bool {
        lock(&self.used).elapsed() >= IDLE_END
    }
}

impl Sessions {
    pub(in crate::facade) fn new(options: PageOptions) -> Self {
        Self {
            open: Mutex::default(),
            secure: options.secure,
        }
    }

    /// Opens one for who showed `token`. What is answered is the `Set-Cookie` of it.
    pub(super) fn open(&self, token: Zeroizing<String>) -> HeaderValue {
        let id = random();
        let session = Session {
            token,
            csrf: random(),
            ended: CancellationToken::new(),
            flash: Mutex::default(),
            job: Mutex::default(),
            used: Mutex::new(Instant::now()),
        };
        let mut open = lock(&self.open);
        open.retain(|_, session| !end_if(session, session.is_idle()));
        if open.len() >= MAX_SESSIONS
            && let Some(key) = idle_longest(&open)
            && let Some(session) = open.remove(&key)
        {
            session.ended.cancel();
        }
        open.insert(key(&id), Arc::new(session));
        self.cookie(&id, "")
    }

    /// The one a request belongs to, which is thereby used.
    pub(super) fn of(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        let key = key(self.shown(headers)?);
        let mut open = lock(&self.open);
        let session = open.get(&key)?;
        if end_if(session, session.is_idle()) {
            open.remove(&key);
            return None;
        }
        *lock(&session.used) = Instant::now();
        Some(Arc::clone(session))
    }

    /// Ends the one a request belongs to, if any. What is answered takes the cookie back.
    pub(super) fn end(&self, headers: &HeaderMap) -> HeaderValue {
        let found = self.shown(headers).map(key);
        if let Some(session) = found.and_then(|key| lock(&self.open).remove(&key)) {
            session.ended.cancel();
        }
        self.cookie("", "; Max-Age=0")
    }

    /// What the one cookie of this name holds. With two, somebody else set one of them.
    fn shown<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let values = headers.get_all(header::COOKIE).iter();
        let pairs = values.filter_map(|value| value.to_str().ok());
        let mut found = pairs
            .flat_map(|pairs| pairs.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(name, _)| *name == self.name())
            .map(|(_, value)| value);
        let shown = found.next()?;
        found.next().is_none().then_some(shown)
    }

    const fn name(&self) -> &'static str {
        if self.secure {
            "__Host-wgfleet_session"
        } else {
            "wgfleet_session"
        }
    }

    fn cookie(&self, id: &str, more: &str) -> HeaderValue {
        let (name, secure) = (self.name(), if self.secure { "; Secure" } else { "" });
        let text = format!("{name}={id}; Path=/; HttpOnly; SameSite=Strict{secure}{more}");
        HeaderValue::try_from(text).expect("a cookie is ASCII")
    }
}

fn end_if(session: &Session, over: bool) -> bool {
    if over {
        session.ended.cancel();
    }
    over
}

fn idle_longest(open: &HashMap<Key, Arc<Session>>) -> Option<Key> {
    let oldest = open
        .iter()
        .min_by_key(|(_, session)| *lock(&session.used))?;
    Some(*oldest.0)
}

fn key(id: &str) -> Key {
    let hash = digest(&SHA256, id.as_bytes());
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

fn random() -> String {
    let mut bytes = [0; RANDOM_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}

fn lock<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, header};
    use zeroize::Zeroizing;

    use super::{IDLE_END, MAX_SESSIONS, PageOptions, Sessions};

    fn opened(sessions: &Sessions) -> HeaderMap {
        let cookie = sessions.open(Zeroizing::new("token".into()));
        let cookie = cookie.to_str().expect("ASCII");
        let pair = cookie.split(';').next().expect("a pair");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, pair.parse().expect("a header"));
        headers
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_is_not_used_ends() {
        let sessions = Sessions::new(PageOptions { secure: false });
        let headers = opened(&sessions);
        let just_before = IDLE_END - std::time::Duration::from_secs(1);
        for _ in 0..2 {
            tokio::time::advance(just_before).await;
            assert!(sessions.of(&headers).is_some(), "each use counts");
        }
        let session = sessions.of(&headers).expect("open");
        tokio::time::advance(IDLE_END).await;
        assert!(sessions.of(&headers).is_none());
        assert!(
            session.ended.is_cancelled(),
            "whoever still listens is told"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_one_idle_longest_makes_room() {
        let sessions = Sessions::new(PageOptions { secure: true });
        let mut all = Vec::new();
        for _ in 0..=MAX_SESSIONS {
            all.push(opened(&sessions));
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        assert!(sessions.of(&all[0]).is_none());
        assert!(sessions.of(&all[1]).is_some());
        assert!(sessions.of(&all[MAX_SESSIONS]).is_some());
    }

    #[test]
    fn two_cookies_of_the_name_are_none() {
        let sessions = Sessions::new(PageOptions { secure: false });
        let mut headers = opened(&sessions);
        let other = opened(&sessions);
        headers.append(header::COOKIE, other[header::COOKIE].clone());
        assert!(sessions.of(&headers).is_none());
    }
}
