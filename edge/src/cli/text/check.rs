//! What `check` says of a file that is in order, and how many faults one has that is not.

use super::common::counted;
use super::texts;

texts! {
    line(name: &str, devices: usize, points: usize, percent: f64)
        zh("线路 {name}：{devices} 台设备，{points} 个点位，约占线路时间的 {percent}%")
        en("line {name}: {devices} devices, {points} points, about {percent} % of its time")
    attention(trouble: &str, way_out: &str)
        zh("  注意：{trouble}；{way_out}")
        en("  attention: {trouble}; {way_out}")
    full() zh("没有给重试和静默设备留出余量") en("it has no room for retries and silent devices")
    late(points: &[String])
        zh("{} 个点位会迟到：{}", points.len(), first(points, "等"))
        en("{} points would be late: {}", points.len(), first(points, "and more"))
    faster(baud: u32, times: f64)
        zh("改用 {baud} 波特即可，或把周期延长到 {times:.1} 倍，或把设备分到另一条线路")
        en("{baud} baud would do, or make the periods {times:.1} times as long, or move devices to another line")
    longer(times: f64)
        zh("把周期延长到 {times:.1} 倍，或把设备分到另一条线路")
        en("make the periods {times:.1} times as long, or move devices to another line")
    hub(address: &str) zh("服务器：{address}") en("hub: {address}")
    no_hub() zh("服务器：无，读数只留在本机") en("hub: none, readings stay here")
    in_order(path: &str, lines: usize, points: usize)
        zh("{path} 没有错误：{lines} 条线路，{points} 个点位")
        en("{path} is in order: {lines} lines, {points} points")
    faults(path: &str, count: usize)
        zh("{path}：{count} 处错误")
        en("{path}: {}", counted(count, "fault", "faults"))
}

/// So many late points are named.
const NAMED: usize = 6;

fn first(points: &[String], more: &str) -> String {
    let named = points.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if points.len() > NAMED { format!("{named} {more}") } else { named }
}
