//! What a reload does to a line, in tokio's paused time: two devices on a fake bus, the second of them silent.

use std::path::Path;
use std::sync::Mutex;

use steward_protocols::question::Address;
use steward_shared::alarm::EventKind;
use steward_shared::document::listing;
use steward_shared::id::RandomIds;
use tokio::time::{Instant, timeout_at};

use super::*;
use crate::config::parse;
use crate::line::fake::{Act, FakeWire, PausedClock};
use crate::supervisor::tests::PROFILE;

fn line(folder: &Path, baud: u32, first: &str) -> Vec<(LineConfig, Vec<Vec<PointNo>>)> {
    let text = format!(
        "[gateway]\nname = \"t\"\n[profiles]\nfolders = [\".\"]\n\
         [[line]]\nname = \"l\"\nkind = \"serial\"\nport = \"/dev/fake\"\nbaud = {baud}\n\
         [[line.device]]\nname = \"answers\"\nprofile = \"acme/m1\"\naddress = 1\n{first}\n\
         [[line.device]]\nname = \"silent\"\nprofile = \"acme/m1\"\naddress = 2\n"
    );
    let mut config = parse("edge.toml", &text, folder, []).unwrap_or_else(|f| panic!("{}", listing(&f)));
    vec![(config.lines.remove(0), vec![vec![PointNo(1)], vec![PointNo(2)]])]
}

#[tokio::test(start_paused = true)]
async fn a_reload_forgets_no_silent_device_unless_its_line_changed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("acme")).unwrap();
    std::fs::write(folder.path().join("acme/m1.toml"), PROFILE).unwrap();
    let start = Instant::now();
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let wire = Arc::new(FakeWire::new(
        true,
        start,
        |_| true,
        move |_, unit, _| {
            if unit == 1 {
                return Act::Answer;
            }
            *count.lock().unwrap() += usize::from(unit == 2);
            Act::Silent
        },
    ));
    let (told, mut from_line) = mpsc::channel(64);
    let dial: DialOf = Arc::new(move |_| Arc::clone(&wire) as Arc<dyn Dial>);
    let mut lines =
        Lines::new(dial, told, Evidence::none(), Arc::new(PausedClock(start)), Arc::new(RandomIds));
    // What is told of the silent device within a minute, and how often it is asked.
    let mut minute = async |lines: &mut Lines, wanted| {
        *asked.lock().unwrap() = 0;
        let changes = lines.apply(wanted).await;
        let (end, mut silent) = (Instant::now() + Duration::from_mins(1), Vec::new());
        while let Ok(Some(told)) = timeout_at(end, from_line.recv()).await {
            if let Told::Alarm { kind: EventKind::DeviceSilent, device: Some(device), active, .. } = told
                && device == "silent"
            {
                silent.push(active);
            }
        }
        let is_silent = lines.gauges()[0].is_silent("silent");
        (changes.kept.len(), silent, is_silent, *asked.lock().unwrap())
    };
    let (_, told, is_silent, first) = minute(&mut lines, line(folder.path(), 9600, "")).await;
    assert_eq!((told, is_silent), (vec![true], true));

    let texts = "place = \"roof\"\ntitle = { zh = \"总表\", en = \"Main\" }";
    let (kept, told, is_silent, _) = minute(&mut lines, line(folder.path(), 9600, texts)).await;
    assert_eq!((kept, told, is_silent), (1, vec![], true), "words restart nothing");

    let faster = "periods = { fast = \"500ms\" }";
    let (kept, told, is_silent, again) = minute(&mut lines, line(folder.path(), 9600, faster)).await;
    assert_eq!((kept, told, is_silent), (0, vec![], true), "the other device changed");
    assert!(again >= 1 && again + 3 <= first, "asked {again} times, and {first} times at first");

    let (kept, told, is_silent, _) = minute(&mut lines, line(folder.path(), 19_200, faster)).await;
    assert_eq!((kept, told, is_silent), (0, vec![true], true), "it may have been the line's fault");
    lines.stop_all().await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_asked_for_more_than_it_has_time_for_is_taken_and_says_what_is_late() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("acme")).unwrap();
    std::fs::write(folder.path().join("acme/m1.toml"), PROFILE).unwrap();
    let start = Instant::now();
    let wire = Arc::new(FakeWire::new(true, start, |_| true, |_, _, _| Act::Answer));
    let (told, mut from_line) = mpsc::channel(64);
    let dial: DialOf = Arc::new(move |_| Arc::clone(&wire) as Arc<dyn Dial>);
    let mut lines =
        Lines::new(dial, told, Evidence::none(), Arc::new(PausedClock(start)), Arc::new(RandomIds));
    let drain = async |from_line: &mut mpsc::Receiver<Told>, time| {
        let end = Instant::now() + time;
        while let Ok(Some(_)) = timeout_at(end, from_line.recv()).await {}
    };
    // Three questions of 41 ms in each 100 ms, if the devices take 20 ms as devices do.
    let mut wanted = line(folder.path(), 9600, "periods = { fast = \"100ms\" }");
    let (config, numbers) = &mut wanted[0];
    config.devices[1].periods = config.devices[0].periods;
    let mut third = config.devices[1].clone();
    (third.name, third.address) = ("third".to_owned(), Address::Modbus(3));
    config.devices.push(third);
    numbers.push(vec![PointNo(3)]);
    lines.apply(wanted).await;
    let overload = |lines: &Lines| {
        let troubles = lines.gauges()[0].read().0.troubles;
        troubles.into_iter().find(|trouble| trouble.what == "overloaded")
    };
    let trouble = overload(&lines).unwrap();
    assert_eq!(
        (trouble.count, trouble.of, trouble.points.as_slice()),
        (1, 3, &["third/power".to_owned()][..])
    );
    assert_eq!(trouble.baud, Some(38_400));
    drain(&mut from_line, Duration::from_mins(1)).await;
    assert_eq!(overload(&lines), None, "they answer at once: there is time for all");
    lines.stop_all().await;
}
