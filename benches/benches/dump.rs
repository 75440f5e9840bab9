//! From the kernel's bytes to the contract's JSON, the agent's way and the straightforward one.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wgfleet_benches::{
    codec::{AgentCodec, straightforward_json},
    kernel_dump::datagrams,
};

/// The agent's and the controller's; the straightforward way gains from it as well.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn dump(criterion: &mut Criterion) {
    for peers in [1_000, 10_000, 50_000] {
        let datagrams = datagrams(peers);
        let mut group = criterion.benchmark_group("dump");
        group
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3))
            .sample_size(20)
            .throughput(Throughput::Elements(u64::from(peers)));
        let mut agent = AgentCodec::new();
        group.bench_function(BenchmarkId::new("agent", peers), |b| {
            b.iter(|| agent.json(black_box(&datagrams)));
        });
        group.bench_function(BenchmarkId::new("straightforward", peers), |b| {
            b.iter(|| straightforward_json(black_box(&datagrams)));
        });
        group.finish();
    }
}

criterion_group!(benches, dump);
criterion_main!(benches);
