//! The parts alone, outside the lab: signatures beside bare `ring`, and netlink to JSON beside the
//! straightforward way; in turns, with allocations counted. Criterion's times of the same work stand
//! beside the ratios when `cargo bench` has run before.

use std::{
    alloc::{GlobalAlloc, Layout},
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::Value;
use wgfleet_benches::{
    bar::{self, Bar},
    codec::{AgentCodec, straightforward_json},
    kernel_dump::datagrams,
    samples::{Samples, millis},
};

/// The agent's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static MIMALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

// SAFETY: every call goes to mimalloc as it came; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { MIMALLOC.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps `dealloc`'s contract.
        unsafe { MIMALLOC.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps `realloc`'s contract.
        unsafe { MIMALLOC.realloc(pointer, layout, bytes) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How often the process that measures is started.
const STARTS: usize = 31;

fn main() -> Result<(), Box<dyn Error>> {
    let criterion = Criterion::find();
    let mut bars = Vec::new();
    let rows = measure()?;
    signatures(&rows, &criterion, &mut bars);
    dumps(&rows, &criterion, &mut bars);
    println!("\n{}", bar::HEAD);
    for bar in bars {
        println!("{bar}");
    }
    Ok(())
}

fn signatures(rows: &[Row], criterion: &Criterion, bars: &mut Vec<Bar>) {
    let rows: Vec<_> = rows.iter().filter(|row| row.ours.name != "agent").collect();
    let rounds = rows.first().map_or(0, |row| row.ours.times().len()) / STARTS;
    println!(
        "\n### Signatures ({STARTS} processes, {rounds} rounds in each, in turns with bare ring)\n"
    );
    println!("| what | body | median | bare `ring` | ratio | criterion | bare, criterion |");
    println!("|---|---|---|---|---|---|---|");
    for Row { size, ours, other } in rows {
        let ratio = ours.ratio_by_rounds(other);
        let criterion = |samples: &Samples| criterion.median("signature", samples.name, *size);
        println!(
            "| {} | {size} B | {:.0} ns | {:.0} ns | {ratio:.2} × | {} | {} |",
            ours.name,
            nanos(ours.median()) / 1e3,
            nanos(other.median()) / 1e3,
            criterion(ours),
            criterion(other),
        );
        if ours.name == "verify" && *size < 1024 {
            let what = format!("verify, {size} B, to bare ring");
            bars.push(Bar::at_most(what, 1.15, "×", ratio));
        }
    }
}

/// What was measured of one thing at one size, all processes together.
struct Row {
    /// Bytes of the body, or peers.
    size: usize,
    ours: Samples,
    other: Samples,
}

/// Starts `turns` again and again, and gathers what it prints.
fn measure() -> Result<Vec<Row>, Box<dyn Error>> {
    let program = std::env::current_exe()?.with_file_name("turns");
    let mut rows: Vec<Row> = Vec::new();
    for _ in 0..STARTS {
        let output = Command::new(&program).output()?;
        if !output.status.success() {
            return Err(format!("{}: {}", program.display(), output.status).into());
        }
        for line in str::from_utf8(&output.stdout)?.lines() {
            let fields: Vec<_> = line.split(' ').collect();
            let [what, size, one, other] = fields[..] else {
                return Err(format!("not a measurement: {line}").into());
            };
            let (size, one, other) = (size.parse()?, one.parse()?, other.parse()?);
            let row = row_of(&mut rows, what, size);
            row.ours.add(Duration::from_nanos(one));
            row.other.add(Duration::from_nanos(other));
        }
    }
    Ok(rows)
}

/// The row of what a line is about, named as criterion names both sides.
fn row_of<'a>(rows: &'a mut Vec<Row>, what: &str, size: usize) -> &'a mut Row {
    let (ours, other) = match what {
        "verify" => ("verify", "verify_bare_ring"),
        "sign" => ("sign", "sign_bare_ring"),
        _ => ("agent", "straightforward"),
    };
    let mut known = rows.iter();
    let known = known.position(|row| row.ours.name == ours && row.size == size);
    let at = known.unwrap_or_else(|| {
        let (ours, other) = (Samples::new(ours), Samples::new(other));
        rows.push(Row { size, ours, other });
        rows.len() - 1
    });
    &mut rows[at]
}

fn dumps(rows: &[Row], criterion: &Criterion, bars: &mut Vec<Bar>) {
    let rows: Vec<_> = rows.iter().filter(|row| row.ours.name == "agent").collect();
    let rounds = rows.first().map_or(0, |row| row.ours.times().len()) / STARTS;
    println!("\n### Netlink to JSON ({STARTS} processes, {rounds} rounds in each, in turns)\n");
    println!(
        "| peers | agent | straightforward | faster | a peer | allocations | the other's | criterion | the other's |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for Row { size, ours, other } in rows {
        let peers = *size;
        let datagrams = datagrams(u32::try_from(peers).expect("few"));
        let mut codec = AgentCodec::new();
        // The first dump sizes the buffer.
        drop(codec.json(&datagrams));
        let allocations = allocations(|| drop(codec.json(&datagrams)));
        let of_other = allocations_of_other(&datagrams);
        let faster = other.ratio_by_rounds(ours);
        println!(
            "| {peers} | {:.2} ms | {:.2} ms | {faster:.1} × | {:.0} ns | {allocations} | {of_other} | {} | {} |",
            millis(ours.median()),
            millis(other.median()),
            nanos(ours.median()) / count(peers),
            criterion.median("dump", ours.name, peers),
            criterion.median("dump", other.name, peers),
        );
        if peers == 10_000 {
            let what = "netlink → JSON, 10k peers, times as fast as the straightforward way";
            bars.push(Bar::at_least(what, 4.0, "×", faster));
            let a_peer = allocations / peers;
            let what = "allocations a peer, netlink → JSON";
            bars.push(Bar::at_most(what, 0.0, "", count(a_peer)));
        }
    }
    println!(
        "\nThe straightforward way: `netlink-packet-wireguard`, the contract's types, `serde_json`; the same bytes come out. Allocations are those of one dump after the first."
    );
}

fn allocations(once: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    once();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

fn allocations_of_other(datagrams: &[Vec<u8>]) -> usize {
    allocations(|| drop(straightforward_json(datagrams)))
}

/// What criterion measured last, if it did.
struct Criterion(Option<PathBuf>);

impl Criterion {
    /// Its folder stands beside the one this program is in.
    fn find() -> Self {
        let program = std::env::current_exe().ok();
        let target = program
            .as_deref()
            .and_then(Path::parent)
            .and_then(Path::parent);
        Self(target.map(|target| target.join("criterion")))
    }

    /// The median time of `group/name/parameter`, for people.
    fn median(&self, group: &str, name: &str, parameter: usize) -> String {
        let estimates = self.0.as_ref().and_then(|folder| {
            let file = format!("{group}/{name}/{parameter}/new/estimates.json");
            let text = fs::read_to_string(folder.join(file)).ok()?;
            serde_json::from_str::<Value>(&text).ok()
        });
        estimates
            .and_then(|estimates| estimates["median"]["point_estimate"].as_f64())
            .map_or_else(|| "not run".into(), in_words)
    }
}

fn in_words(nanos: f64) -> String {
    if nanos < 10_000.0 {
        format!("{nanos:.0} ns")
    } else if nanos < 1_000_000.0 {
        format!("{:.1} µs", nanos / 1e3)
    } else {
        format!("{:.2} ms", nanos / 1e6)
    }
}

fn nanos(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn count(number: usize) -> f64 {
    number as f64
}
