//! The packages under systemd itself: a Debian machine boots, and the units start with the whole of their
//! sandbox. (`tests/packages` tries more, in roots where `lab/systemctl` stands in for it.)

use wgfleet_integration::{machine::Machine, packages::LATER_VERSION, pages};

/// Shell functions for what is asked more than once.
const ASKING: &str = r#"
systemd_status() { systemctl show -P "$2" "wgfleet-$1.service"; }
field() { sed -n "s/^$2:\t//p" "/proc/$(systemd_status "$1" MainPID)/status"; }
within() { nsenter --mount --target "$(systemd_status "$1" MainPID)" "${@:2}"; }
equal() { [ "$1" = "$2" ] || { echo "$1 is not $2" >&2; return 1; }; }
refused() { ! "$@" 2>/dev/null || { echo "allowed: $*" >&2; return 1; }; }
await_ready() { until curl -sf -o /dev/null http://127.0.0.1:10086/readyz; do sleep 0.2; done; }
both_run() { for unit in agent controller; do equal "$(systemd_status $unit ActiveState)" active; done; }
"#;

/// What the units promise, asked of the running programs.
const SANDBOX: &str = r#"
for unit in agent controller; do
  systemd-analyze security --threshold=20 "wgfleet-$unit.service" | tail -n 1
  equal "$(ps -o user:20= -p "$(systemd_status $unit MainPID)")" "wgfleet-$unit"
  equal "$(field $unit NoNewPrivs)" 1
  equal "$(field $unit Seccomp)" 2
  for directory in /usr /etc /var /var/backups /home; do
    refused within $unit touch "$directory/written"
  done
  within $unit touch "/var/lib/wgfleet-$unit/written"
  within $unit rm "/var/lib/wgfleet-$unit/written"
  equal "$(within $unit ls /home /root | tr -d '\n')" "/home:/root:"
  refused within $unit test -e /dev/ubda
done
equal "$(field agent CapBnd)" 0000000000001000
equal "$(field agent CapEff)" 0000000000001000
equal "$(field controller CapBnd)" 0000000000000000
equal "$(stat -c '%a %U' /run/credentials/wgfleet-agent.service/agent.secret)" '400 wgfleet-agent'
equal "$(stat -c '%a %U' /run/credentials/wgfleet-controller.service/master.key)" '400 wgfleet-controller'
equal "$(stat -c '%a %U:%G' /run/wgfleet)" '750 wgfleet-agent:wgfleet'
systemctl start wgfleet-controller-backup.service
stat -c '%n %a %U' /var/backups/wgfleet-controller/*
"#;

/// Warnings of systemd about the units, and of the programs.
const COMPLAINTS: &str = r#"
journalctl -b -q --no-pager -p warning -u 'wgfleet-*' >/tmp/complaints
if [ -s /tmp/complaints ]; then cat /tmp/complaints >&2; exit 1; fi
systemd-analyze verify --man=no wgfleet-agent.service wgfleet-controller.service \
  wgfleet-controller-backup.service wgfleet-controller-backup.timer
"#;

#[test]
fn the_packages_live_under_systemd() {
    let machine = Machine::new();
    let begun = pages::page("docs/getting-started.md").script(":");
    let said = machine.boot(&format!(
        "{ASKING}cd /tmp\n{begun}systemctl enable wg-quick@wg0\nboth_run\n{SANDBOX}{COMPLAINTS}"
    ));
    assert!(
        said.contains("added laptop on local with 10.8.0.2/32: applied"),
        "{said}"
    );
    assert!(said.contains(".db 600 wgfleet-controller"), "{said}");

    // Booted again: all is there by itself, the peer in the kernel included. Then upgraded.
    machine.boot(&format!(
        "{ASKING}both_run; await_ready
        until [ \"$(wg show wg0 allowed-ips | cut -f 2)\" = 10.8.0.2/32 ]; do sleep 0.2; done
        peers=$(wg show wg0 dump | tail -n +2 | cut -f 1-2,4)
        before=$(systemd_status agent MainPID)/$(systemd_status controller MainPID)
        {LATER_VERSION}
        dpkg -i /tmp/later/*.deb
        both_run; await_ready
        after=$(systemd_status agent MainPID)/$(systemd_status controller MainPID)
        refused equal \"${{before%/*}}\" \"${{after%/*}}\"
        refused equal \"${{before#*/}}\" \"${{after#*/}}\"
        equal \"$(wg show wg0 dump | tail -n +2 | cut -f 1-2,4)\" \"$peers\"
        wgfleet peer list --output csv | grep -q laptop
        {COMPLAINTS}
        systemctl enable --now wgfleet-controller-backup.timer"
    ));

    // Removed, had again, and purged.
    machine.boot(&format!(
        "{ASKING}both_run
        equal \"$(systemctl is-active wgfleet-controller-backup.timer)\" active
        dpkg -r wgfleet-agent wgfleet-controller
        equal \"$(pgrep -c wgfleet || true)\" 0
        equal \"$(wg show wg0 allowed-ips | cut -f 2)\" 10.8.0.2/32
        dpkg -i /tmp/wgfleet-*.deb
        both_run; await_ready
        wgfleet peer list --output csv | grep -q laptop
        dpkg -P wgfleet-agent wgfleet-controller
        equal \"$(systemctl list-units --all --plain --no-legend 'wgfleet*')\" ''
        equal \"$(systemctl list-unit-files --no-legend 'wgfleet*')\" ''
        equal \"$(ls -d /etc/wgfleet /var/lib/wgfleet* /run/wgfleet 2>/dev/null || true)\" ''"
    ));
}
