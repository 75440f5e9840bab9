//! Signing and checking one request, beside bare `ring` over the same bytes.

use std::{hint::black_box, time::Duration};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use wgfleet_benches::signature::{BODY_BYTES, Signature};

fn signature(criterion: &mut Criterion) {
    for bytes in BODY_BYTES {
        let request = Signature::of(bytes);
        let mut group = criterion.benchmark_group("signature");
        group
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .throughput(Throughput::Bytes(bytes as u64));
        let id = |name: &str| BenchmarkId::new(name, bytes);
        group.bench_function(id("verify"), |b| b.iter(|| black_box(&request).verify()));
        group.bench_function(id("verify_bare_ring"), |b| {
            b.iter(|| black_box(&request).verify_bare());
        });
        group.bench_function(id("sign"), |b| b.iter(|| black_box(&request).sign()));
        group.bench_function(id("sign_bare_ring"), |b| {
            b.iter(|| black_box(&request).sign_bare());
        });
        group.finish();
    }
}

criterion_group!(benches, signature);
criterion_main!(benches);
