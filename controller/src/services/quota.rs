//! What callers say about quotas, and what follows for the peer.

use tonic::{Code, Status};
use wgfleet_proto::v1;

use super::status::{invalid, refuse};
use crate::{
    domain::{period::QuotaPeriod, quota::Quota},
    store::peers::PeerSettings,
};

/// What of a quota is to change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct QuotaPatch {
    /// 0 takes it away.
    bytes: Option<u64>,
    period: Option<QuotaPeriod>,
}

impl QuotaPatch {
    /// Checks what can be checked without the store.
    ///
    /// # Errors
    /// INVALID_ARGUMENT that names the field.
    pub(super) fn new(bytes: Option<u64>, period: i32) -> Result<Self, Status> {
        if bytes.is_some_and(|bytes| i64::try_from(bytes).is_err()) {
            let why = format!("{} bytes are the most", i64::MAX);
            return Err(invalid("quota_bytes", why));
        }
        let period = match v1::QuotaPeriod::try_from(period) {
            Ok(v1::QuotaPeriod::Unspecified) => None,
            Ok(v1::QuotaPeriod::None) => Some(QuotaPeriod::None),
            Ok(v1::QuotaPeriod::Day) => Some(QuotaPeriod::Day),
            Ok(v1::QuotaPeriod::Week) => Some(QuotaPeriod::Week),
            Ok(v1::QuotaPeriod::Month) => Some(QuotaPeriod::Month),
            Err(_) => return Err(invalid("quota_period", "there is no such period")),
        };
        Ok(Self { bytes, period })
    }

    /// The quota of a new peer.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a period of nothing.
    pub(super) fn of_new(self, now_s: i64) -> Result<Option<Quota>, Status> {
        if self.bytes == Some(0) {
            let why = "a quota is at least one byte; leave it out for none";
            return Err(invalid("quota_bytes", why));
        }
        self.apply(None, now_s)
    }

    /// The quota with the patch, in the period of now.
    ///
    /// # Errors
    /// INVALID_ARGUMENT for a period of nothing.
    pub(super) fn apply(self, before: Option<Quota>, now_s: i64) -> Result<Option<Quota>, Status> {
        match (self.bytes, self.period, before) {
            (Some(0), None, _) | (None, None, None) => Ok(None),
            (Some(0), Some(_), _) | (None, Some(_), None) => {
                let why = "a period needs a quota: give quota_bytes too";
                Err(invalid("quota_period", why))
            }
            (bytes, period, Some(quota)) => {
                let period = period.unwrap_or(quota.period);
                Ok(Some(quota.changed(
                    bytes.unwrap_or(quota.bytes),
                    period,
                    now_s,
                )))
            }
            (Some(bytes), period, None) => {
                Ok(Some(Quota::new(bytes, period.unwrap_or_default(), now_s)))
            }
        }
    }
}

/// Brings a peer's settings and its quota together. `was_held`: the peer was disabled for its quota
/// alone; `asked`: whether the caller wants it enabled. What an operator does by hand wins.
///
/// # Errors
/// `peer_quota_used_up`, when it enables a peer that has nothing left.
pub(super) fn settle(
    settings: &mut PeerSettings,
    quota: &mut Option<Quota>,
    was_held: bool,
    asked: Option<bool>,
) -> Result<(), Status> {
    let used_up = quota.filter(Quota::is_used_up);
    match (asked, used_up) {
        (Some(true), Some(quota)) => {
            let why = format!("{}: raise quota_bytes, or clear it", quota.reason());
            let code = Code::FailedPrecondition;
            return Err(refuse(code, "peer_quota_used_up", Some("quota_bytes"), why));
        }
        (Some(_), _) => {}
        (None, None) if was_held => {
            settings.enabled = true;
            settings.disabled_reason.clear();
        }
        (None, Some(used_up)) if was_held || settings.enabled => {
            settings.enabled = false;
            settings.disabled_reason = used_up.reason();
            *quota = Some(Quota {
                held: true,
                ..used_up
            });
            return Ok(());
        }
        (None, _) => {}
    }
    if let Some(quota) = quota {
        quota.held = false;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::services::status::wgfleet_code;

    const NOW_S: i64 = 1_790_000_000;

    fn quota(used_bytes: u64, held: bool) -> Option<Quota> {
        Some(Quota {
            used_bytes,
            held,
            ..Quota::new(100, QuotaPeriod::Month, NOW_S)
        })
    }

    fn settings(enabled: bool, reason: &str) -> PeerSettings {
        PeerSettings {
            enabled,
            disabled_reason: reason.into(),
            ..PeerSettings::default()
        }
    }

    /// Enabled, reason, held.
    fn settled(
        (enabled, reason): (bool, &str),
        mut quota: Option<Quota>,
        was_held: bool,
        asked: Option<bool>,
    ) -> Result<(bool, bool, Option<bool>), String> {
        let mut settings = settings(enabled, reason);
        settle(&mut settings, &mut quota, was_held, asked)
            .map_err(|status| wgfleet_code(&status).unwrap_or_default().to_owned())?;
        Ok((
            settings.enabled,
            !settings.disabled_reason.is_empty(),
            quota.map(|quota| quota.held),
        ))
    }

    #[test]
    fn a_quota_that_is_used_up_disables_and_one_that_is_raised_enables() {
        let used_up = quota(100, false);
        assert_eq!(
            settled((true, ""), used_up, false, None),
            Ok((false, true, Some(true)))
        );
        assert_eq!(
            settled((false, "quota"), quota(99, true), true, None),
            Ok((true, false, Some(false)))
        );
        assert_eq!(
            settled((false, "quota"), None, true, None),
            Ok((true, false, None))
        );
        assert_eq!(
            settled((false, "quota"), quota(100, true), true, None),
            Ok((false, true, Some(true)))
        );
    }

    #[test]
    fn what_is_done_by_hand_wins() {
        assert_eq!(
            settled((false, ""), quota(100, true), true, Some(false)),
            Ok((false, false, Some(false)))
        );
        assert_eq!(
            settled((false, ""), quota(100, false), false, None),
            Ok((false, false, Some(false))),
            "it was disabled by hand and stays so"
        );
        assert_eq!(
            settled((true, ""), quota(100, true), true, Some(true)),
            Err("peer_quota_used_up".into())
        );
        assert_eq!(
            settled((true, ""), quota(99, true), true, Some(true)),
            Ok((true, false, Some(false)))
        );
    }

    #[test]
    fn patches_of_quotas() {
        let patch = |bytes, period: v1::QuotaPeriod| QuotaPatch::new(bytes, period.into());
        let unspecified = v1::QuotaPeriod::Unspecified;
        let month = v1::QuotaPeriod::Month;
        let applied = |bytes, period, before| {
            let patch = patch(bytes, period).expect("a patch");
            patch
                .apply(before, NOW_S)
                .map_err(|status| status.message().to_owned())
        };
        assert_eq!(applied(None, unspecified, None), Ok(None));
        assert_eq!(
            applied(None, unspecified, quota(7, false)),
            Ok(quota(7, false))
        );
        assert_eq!(applied(Some(0), unspecified, quota(7, false)), Ok(None));
        assert_eq!(
            applied(Some(5), unspecified, None),
            Ok(Some(Quota::new(5, QuotaPeriod::None, NOW_S)))
        );
        assert_eq!(
            applied(Some(5), month, None),
            Ok(Some(Quota::new(5, QuotaPeriod::Month, NOW_S)))
        );
        assert!(applied(None, month, None).is_err());
        assert!(applied(Some(0), month, quota(7, false)).is_err());
        assert!(patch(Some(u64::MAX), month).is_err());
        assert!(QuotaPatch::new(None, 77).is_err());
        assert!(patch(Some(0), unspecified).is_ok_and(|patch| patch.of_new(NOW_S).is_err()));
    }
}
