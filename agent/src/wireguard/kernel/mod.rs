//! The Linux kernel over generic netlink.
