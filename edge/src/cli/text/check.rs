//! What `check` says of a file that is in order, and how many faults one has that is not.

use super::common::counted;
use super::texts;
use crate::poll::{Load, named};

texts! {
    line(name: &str, devices: usize, points: usize, percent: f64)
        zh("线路 {name}：{devices} 台设备，{points} 个点位，约占线路时间的 {percent}%")
        en("line {name}: {}, {}, about {percent} % of its time", counted(devices, "device", "devices"), counted(points, "point", "points"))
    attention(trouble: &str, way_out: &str)
        zh("  注意：{trouble}；{way_out}")
        en("  attention: {trouble}; {way_out}")
    trouble(load: &Load)
        zh("{}", zh_trouble(load))
        en("{}", load.trouble().unwrap_or_default())
    way_out(load: &Load)
        zh("{}", zh_way_out(load))
        en("{}", load.way_out())
    hub(address: &str) zh("服务器：{address}") en("hub: {address}")
    no_hub() zh("服务器：无，读数只留在本机") en("hub: none, readings stay here")
    in_order(path: &str, lines: usize, points: usize)
        zh("{path} 没有错误：{lines} 条线路，{points} 个点位")
        en("{path} is in order: {}, {}", counted(lines, "line", "lines"), counted(points, "point", "points"))
    from_hub(version: u64, by: &str)
        zh("注意：现在生效的是服务器下发的配置，第 {version} 版（{by}），不是这个文件；改了这个文件，就以它为准")
        en("attention: version {version} of the configuration, from the hub ({by}), is in force, and not this file; once this file is changed it wins")
    changed_on_site(version: u64)
        zh("注意：这个文件会取代服务器下发的第 {version} 版配置")
        en("attention: this file takes the place of version {version} of the configuration, which is from the hub")
    polls_nothing()
        zh("还什么都不轮询：写上 [[line]] 和它的 [[line.device]]；steward-edge scan 可找出线路上的设备并给出写法")
        en("nothing is polled yet: write a [[line]] with its [[line.device]]; steward-edge scan finds devices and writes both")
    faults(path: &str, count: usize)
        zh("{path}：{count} 处错误")
        en("{path}: {}", counted(count, "fault", "faults"))
}

/// As `Load::trouble`.
fn zh_trouble(load: &Load) -> String {
    let late = load.late.len();
    let named = named(&load.late, "等");
    match &load.longest {
        _ if late == 0 => "没有给重试和静默设备留出余量".to_owned(),
        None => format!("{late} 个点位会迟到：{named}"),
        Some(longest) => {
            let (device, point, took) = (&longest.device, &longest.point, longest.took_ms);
            format!(
                "{late} 个点位会迟到：{named}；从 {device}/{point} 起的一次提问要 {took} ms，其间不能问别的"
            )
        }
    }
}

/// As `Load::way_out`.
fn zh_way_out(load: &Load) -> String {
    let others = format!("把周期延长到 {:.1} 倍，或把设备分到另一条线路", load.longer());
    match (load.baud, load.own.is_empty()) {
        (None, _) => others,
        (Some(baud), true) => format!("改用 {baud} 波特即可，或{others}"),
        (Some(baud), false) => format!("把 {} 改为 {baud} 波特即可，或{others}", named(&load.own, "等")),
    }
}
