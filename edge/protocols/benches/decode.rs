//! What decoding costs, in every language of the profiles that come with the edge: `values` is from the contents of an
//! answer to the points' values, for each value; `answers` is from the bytes of a sample answer, with its check sum, to
//! its values, for each byte, and has the plan of what was asked in it. BACnet and MQTT do both in one, `answers`. Run by `cargo bench -p steward-protocols`.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use steward_protocols::cost::Cost;
use steward_protocols::question::{Question, questions};
use steward_protocols::sample::{read_sample, sample_answer};
use steward_shared::document::listing;
use steward_shared::profile::{Library, Profile, SampleFrame};
use steward_shared::reading::Quality;

const PROFILES: [&str; 7] = [
    "schneider/pm5350",
    "dlt645/three-phase",
    "cjt188/heat-1f90",
    "kamstrup/multical-601",
    "landis-gyr/e350",
    "flexit/nordic",
    "shelly/pro-3em",
];

fn profiles() -> Vec<Arc<Profile>> {
    let library = Library::compiled_in().unwrap_or_else(|faults| panic!("{}", listing(&faults)));
    let known = |id: &&str| library.get(id).unwrap_or_else(|| panic!("there is no profile {id}"));
    PROFILES.iter().map(known).collect()
}

fn read(profile: &Profile, sample: &SampleFrame) -> usize {
    read_sample(profile, sample).unwrap_or_else(|why| panic!("{}: {why}", profile.id)).len()
}

fn answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("answers");
    for profile in profiles() {
        let longest = profile.frames.iter().max_by_key(|sample| sample.response.len());
        let sample = longest.unwrap_or_else(|| panic!("{} has a sample", profile.id));
        group.throughput(Throughput::Bytes(sample.response.len() as u64));
        group.bench_function(profile.language.name(), |bench| {
            bench.iter(|| read(&profile, black_box(sample)));
        });
    }
    group.finish();
}

/// A question and the contents of an answer to it, with values for most of its points. Registers may have any contents.
fn answered(profile: &Profile) -> Option<(Question, Vec<u8>)> {
    let samples = profile.frames.iter();
    let shown = samples.filter_map(|sample| {
        sample_answer(profile, sample).unwrap_or_else(|why| panic!("{}: {why}", profile.id))
    });
    shown.max_by_key(|(question, _)| question.points().len()).or_else(|| {
        let cost = Cost::tcp(Duration::from_millis(5));
        let asked = questions(profile, 0..profile.points.len(), &cost, &[]);
        let longest = asked.into_iter().max_by_key(|question| question.points().len())?;
        let contents = (0..longest.contents_len().ceil() as usize).map(|i| (i * 37 % 10) as u8).collect();
        Some((longest, contents))
    })
}

fn values(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("values");
    for profile in profiles() {
        let Some((question, contents)) = answered(&profile) else { continue };
        let values = question.values(&profile.points, &contents);
        if values.is_empty() {
            continue;
        }
        let good = values.iter().filter(|value| value.quality == Quality::Good).count();
        assert!(good * 4 >= values.len() * 3, "{}: {good} of {} have a value", profile.id, values.len());
        group.throughput(Throughput::Elements(values.len() as u64));
        group.bench_function(profile.language.name(), |bench| {
            bench.iter(|| question.values(&profile.points, black_box(&contents)));
        });
    }
    group.finish();
}

criterion_group!(benches, answers, values);
criterion_main!(benches);
