//! What `doctor` says: what is wrong with a line's wires, and what to look at.

use super::common::counted;
use super::{Lang, texts};

/// The head of the table of devices.
pub fn head(lang: Lang) -> Vec<String> {
    lang.pick(
        ["设备", "提问", "无应答", "损坏（按长度）", "重复应答", "迟到", "停顿", "应答时间"],
        ["device", "asked", "silent", "damaged (by length)", "twice", "late", "paused", "turnaround"],
    )
    .map(str::to_owned)
    .to_vec()
}

texts! {
    away(address: &str, why: &str)
        zh("{address} 上没有运行中的网关程序：{why}；请先启动它，或用 --http 写出它的地址")
        en("no program shows its pages at {address}: {why}; start it, or say by --http where it does")
    other(address: &str, why: &str)
        zh("{address} 上的不是网关程序的页面：{why}")
        en("what is at {address} is not the page of a gateway: {why}")
    no_line(name: &str, known: &str) zh("没有线路“{name}”；有：{known}") en("there is no line \"{name}\"; there are: {known}")
    line(name: &str, asked: u64, early: u64, stray: u64)
        zh("线路 {name}：{asked} 次提问；本程序违反帧间静默 {early} 次；无人索取的字节 {stray} 个")
        en("line {name}: {asked} questions; silence between frames broken by us {early} times; {stray} bytes that nobody asked for")
    messages(name: &str, count: u64)
        zh("线路 {name}：设备自己发来 {count} 条消息，这里不提问")
        en("line {name}: its devices have told {count} messages by themselves; nobody is asked there")
    never_asked() zh("还没有在上面提过问") en("nobody has been asked on it yet")
    down(why: &str) zh("线路中断：{why}") en("the line is down: {why}")
    no_lines()
        zh("运行中的网关程序没有线路：在网关文件里写上 [[line]] 和设备")
        en("the running program has no line: write a [[line]] and its devices into the gateway's file")
    all_silent()
        zh("线上没有一台设备应答过：请检查接线（A/B 是否接反）、供电、速率和校验，或用 scan 查找")
        en("no device of it has ever answered: check wiring (A and B may be swapped), supply, rate and parity, or find with scan who answers")
    never_answered(device: &str)
        zh("{device}：从未应答：请检查它的供电、接线和地址，或用 scan 查找")
        en("{device}: has never answered: check its supply, wiring and address, or find with scan who answers")
    healthy() zh("没有发现线路故障") en("nothing is wrong with its wires")
    two_answers(device: &str, count: u64, of: u64)
        zh("{device}：{of} 次提问中有 {count} 次收到不止一个应答：线上有两台设备用同一个地址，请逐台断开查找")
        en("{device}: more than one answer to {count} of {of} questions: two devices have its address; unplug one after the other to find it")
    errors_grow(device: &str, share: f64)
        zh("{device}：{share:.1} % 的应答损坏，应答越长越多：请检查终端电阻、屏蔽接地，或降低速率")
        en("{device}: {share:.1} % of its answers are damaged, long ones more than short ones: check termination, shield and ground, or lower the rate")
    damaged(device: &str, share: f64)
        zh("{device}：{share:.1} % 的应答损坏，与长度无关：请检查接线、极性、偏置电阻和速率设置")
        en("{device}: {share:.1} % of its answers are damaged, whatever their length: check wiring, polarity, biasing and the rate")
    late(device: &str, count: u64)
        zh("{device}：{count} 个应答在放弃等待之后才到：请把 timeout 放长")
        en("{device}: {count} answers came after they had been given up: give it a longer timeout")
    pauses(device: &str, share: f64)
        zh("{device}：{share:.1} % 的应答中间有停顿：转换器在分段转发，或设备过忙")
        en("{device}: {share:.1} % of its answers pause in their middle: a converter hands them on in pieces, or the device is too busy")
    hasty(device: &str, share: f64)
        zh("{device}：{share:.0} % 的应答来得比标准要求的静默还早：有的转换器会丢掉首字节")
        en("{device}: {share:.0} % of its answers begin before the silence that the standard wants: some converters lose the first byte")
    babble(count: u64)
        zh("线上有 {count} 个无人索取的字节：可能有另一台主站、干扰，或缺少偏置电阻")
        en("{count} bytes came that nobody asked for: another master, noise, or no biasing")
    own_silence(count: u64, of: u64)
        zh("本程序在 {of} 次提问中有 {count} 次没有保持静默：请报告这个错误")
        en("this program did not keep the silence in {count} of {of} questions: please report it")
    strangers(count: u64)
        zh("有 {count} 个拨入的连接被拒绝：注册包或来源网络与网关文件不符，见 /status 中的最近错误")
        en("{count} who dialled in were turned away: their registration or network is not the gateway file's; /status names the last")
    overloaded(count: u64, points: &[String], baud: Option<u32>)
        zh("线路上要问的超过它的时间：{count} 个点位会迟到：{}{}；请放长周期，或把设备分到另一条线路",
           first(points, count, ("、", "等")), baud.map_or_else(String::new, |baud| format!("；{baud} 波特即可")))
        en("more is asked of the line than it has time for: {count} points would be late: {}{}; make the periods longer, or move devices to another line",
           first(points, count, (", ", "and more")), baud.map_or_else(String::new, |baud| format!("; {baud} baud would do")))
    its_number_twice(device: &str)
        zh("{device}：网络里另有一台设备用同一编号，网关只认先到者；请给其中一台改号")
        en("{device}: another device of the network has its number; the first is kept to: give one of them another number")
    number_twice(count: u64)
        zh("网络里有 {count} 处编号重复：两台设备或两个路由器用同一编号，网关只认先到者；请给其中一个改号")
        en("{} of the network claimed twice, by devices or by routers; the first is kept to: give one of them another number", counted(usize::try_from(count).unwrap_or(usize::MAX), "number is", "numbers are"))
    unknown(what: &str, device: &str, count: u64, of: u64)
        zh("{device} {what}：{of} 次中 {count} 次")
        en("{device} {what}: {count} of {of}")
}

/// The late points that are known by name.
fn first(points: &[String], count: u64, (comma, more): (&str, &str)) -> String {
    let named = points.join(comma);
    if count > points.len() as u64 { format!("{named} {more}") } else { named }
}
