//! Installed, upgraded, removed, purged.

use std::{collections::BTreeSet, fs, os::unix::fs::MetadataExt};

use wgfleet_integration::{
    packages::{LATER_VERSION, Root},
    root_test,
};

const INSTALL: &str = "dpkg -i /tmp/wgfleet-*.deb";

/// Owner's name, mode and bytes of a file.
#[track_caller]
fn look(root: &Root, path: &str) -> (String, u32, Vec<u8>) {
    let owner = root.shell(&format!("stat -c %U:%G {path}"));
    let metadata = fs::metadata(root.path(path)).expect(path);
    let bytes = if metadata.is_dir() {
        Vec::new()
    } else {
        fs::read(root.path(path)).expect(path)
    };
    (owner.trim().to_owned(), metadata.mode() & 0o7777, bytes)
}

/// Everything outside dpkg's own books that bears our name.
fn ours(root: &Root) -> BTreeSet<String> {
    let found = root.shell(
        "find /etc /usr /var /opt -xdev -name '*wgfleet*' -not -path '/var/lib/dpkg/*' -print",
    );
    found.lines().map(str::to_owned).collect()
}

root_test! {
    fn what_is_installed_belongs_to_whom_it_should(root) {
        root.shell(INSTALL);
        let programs = [
            "/usr/bin/wgfleet-agent",
            "/usr/bin/wgfleet-controller",
            "/usr/bin/wgfleet",
        ];
        for program in programs {
            let (owner, mode, _) = look(&root, program);
            assert_eq!((owner.as_str(), mode), ("root:root", 0o755), "{program}");
            root.shell(&format!("{program} --version"));
        }
        for secret in ["/etc/wgfleet/agent.secret", "/etc/wgfleet/master.key"] {
            let (owner, mode, text) = look(&root, secret);
            assert_eq!((owner.as_str(), mode), ("root:root", 0o600), "{secret}");
            assert_eq!(text.len(), 45, "32 bytes in base64, and a line's end: {secret}");
        }
        for file in ["/etc/wgfleet/agent.toml", "/etc/wgfleet/controller.toml"] {
            let (owner, mode, _) = look(&root, file);
            assert_eq!((owner.as_str(), mode), ("root:root", 0o644), "{file}");
        }
        let (owner, mode, _) = look(&root, "/var/backups/wgfleet-controller");
        assert_eq!((owner.as_str(), mode), ("wgfleet-controller:wgfleet-controller", 0o700));
        for user in ["wgfleet-agent", "wgfleet-controller"] {
            let line = root.shell(&format!("getent passwd {user}"));
            assert!(line.trim().ends_with("nologin"), "{line}");
        }
        root.shell("systemctl is-enabled wgfleet-agent.service wgfleet-controller.service");
        let timer = root.try_shell("systemctl is-enabled wgfleet-controller-backup.timer");
        assert!(!timer.status.success(), "backups wait until somebody wants them");
        root.shell("systemctl is-active wgfleet-controller.service");
        for file in [
            "man/man8/wgfleet-agent.8.gz",
            "man/man8/wgfleet-controller.8.gz",
            "man/man8/wgfleet-controller-backup.8.gz",
            "man/man1/wgfleet.1.gz",
            "man/man1/wgfleet-peer-add.1.gz",
            "bash-completion/completions/wgfleet",
        ] {
            assert!(root.path(&format!("/usr/share/{file}")).is_file(), "{file}");
        }
    }
}

root_test! {
    fn an_upgrade_keeps_what_an_administrator_made(root) {
        root.shell(INSTALL);
        root.shell("echo 'metrics_listen = \"127.0.0.1:9586\"' >>/etc/wgfleet/agent.toml");
        root.shell("systemctl stop wgfleet-controller");
        let kept = [
            "/etc/wgfleet/agent.secret",
            "/etc/wgfleet/master.key",
            "/etc/wgfleet/agent.toml",
            "/var/lib/wgfleet-controller/controller.db",
            "/var/lib/wgfleet-controller/admin-token",
        ];
        let before = kept.map(|path| look(&root, path));
        root.shell(LATER_VERSION);
        root.shell("dpkg --force-confdef --force-confold -i /tmp/later/*.deb");
        assert_eq!(root.shell("dpkg-query -W -f '${Version} ' wgfleet-agent wgfleet-controller"), "99.0-1 99.0-1 ");
        assert_eq!(kept.map(|path| look(&root, path)), before);
        let (_, _, untouched) = look(&root, "/etc/wgfleet/controller.toml");
        assert!(untouched.ends_with(b"# a new default\n"), "nobody had changed it");
        assert!(root.path("/etc/wgfleet/agent.toml.dpkg-dist").is_file());
        // An upgrade restarts what it replaced.
        root.shell("systemctl is-active wgfleet-controller.service");
    }
}

root_test! {
    fn a_removal_keeps_configuration_and_state_and_a_purge_nothing(root) {
        let before = ours(&root);
        root.shell(INSTALL);
        root.shell("systemctl start wgfleet-controller-backup.service");
        let secrets = ["/etc/wgfleet/agent.secret", "/etc/wgfleet/master.key"];
        let kept = secrets.map(|path| look(&root, path));
        root.shell("dpkg -r wgfleet-agent wgfleet-controller");
        assert!(!root.try_shell("systemctl is-active wgfleet-controller.service").status.success());
        assert_eq!(secrets.map(|path| look(&root, path)), kept);
        for path in ["/etc/wgfleet/agent.toml", "/var/lib/wgfleet-controller/controller.db"] {
            assert!(root.path(path).is_file(), "{path}");
        }
        for path in ["/usr/bin/wgfleet-agent", "/etc/systemd/system/wgfleet-controller.service.d"] {
            assert!(!root.path(path).exists(), "{path}");
        }

        root.shell(INSTALL);
        assert_eq!(secrets.map(|path| look(&root, path)), kept, "found again, not made anew");
        root.shell("systemctl is-active wgfleet-controller.service");

        root.shell("dpkg -P wgfleet-agent wgfleet-controller");
        assert!(!root.path("/etc/wgfleet").exists());
        let left: Vec<_> = ours(&root).difference(&before).cloned().collect();
        let backups = "/var/backups/wgfleet-controller";
        assert_eq!(left, [backups], "only what a backup is for");
        assert_eq!(root.shell(&format!("ls {backups}")).lines().count(), 1);
    }
}

root_test! {
    fn a_store_without_its_key_gets_no_other_key(root) {
        root.shell(INSTALL);
        root.shell("systemctl stop wgfleet-controller");
        root.shell("mv /etc/wgfleet/master.key /mnt/");
        let said = root.shell("dpkg -i /tmp/wgfleet-controller_*.deb");
        assert!(said.contains("its master key /etc/wgfleet/master.key is not"), "{said}");
        assert!(!root.path("/etc/wgfleet/master.key").exists());
        root.shell("mv /mnt/master.key /etc/wgfleet/ && systemctl restart wgfleet-controller");
        root.shell("for n in $(seq 100); do curl -sf http://127.0.0.1:10086/readyz && exit; sleep 0.1; done; exit 1");
    }
}

root_test! {
    fn in_either_order_the_agent_becomes_the_node_local(root) {
        for order in [["agent", "controller"], ["controller", "agent"]] {
            for package in order {
                root.shell(&format!("dpkg -i /tmp/wgfleet-{package}_*.deb"));
            }
            let nodes = root.shell(
                "until curl -sf -o /dev/null http://127.0.0.1:10086/readyz; do sleep 0.1; done
                token=$(cat /var/lib/wgfleet-controller/admin-token)
                curl -sS -H \"Authorization: Bearer $token\" http://127.0.0.1:10086/api/v1/nodes |
                  jq -c '.items[] | [.name, .agent_url]'",
            );
            assert_eq!(nodes, "[\"local\",\"unix:///run/wgfleet/agent.sock\"]\n", "{order:?}");
            root.shell("dpkg -P wgfleet-agent wgfleet-controller");
        }
    }
}
