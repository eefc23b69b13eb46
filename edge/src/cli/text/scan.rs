//! What `scan` and `identify` say.

use std::time::Duration;

use super::{Lang, texts};

texts! {
    name_a_line()
        zh("请用 --line 写明串口或网络：/dev/ttyS1、10.0.0.20、10.0.0.0/24；BACnet 用 --bacnet 或 --network")
        en("name the port or the network by --line: /dev/ttyS1, 10.0.0.20, 10.0.0.0/24; for BACnet by --bacnet or --network")
    name_it() zh("请写设备名，或用 --line 和 --address 写明") en("name a device, or describe it by --line and --address")
    no_hosts(host: &str)
        zh("“{host}”不是主机，也不是至多 1024 台主机的网络") en("\"{host}\" is no host, and no network of at most 1024 hosts")
    estimate(questions: usize, time: &str)
        zh("最多 {questions} 次提问，约 {time}；Ctrl-C 结束并保留已找到的")
        en("at most {questions} questions, some {time}; Ctrl-C ends it and keeps what was found")
    progress(setting: &str, unit: u8, found: usize, left: &str)
        zh("{setting}  地址 {unit}，已找到 {found}，还需约 {left}")
        en("{setting}  address {unit}, {found} found, some {left} left")
    hosts(done: usize, count: usize, open: usize)
        zh("主机 {done}/{count}，可连接 {open}") en("host {done} of {count}, {open} take a connection")
    compared(done: usize, count: usize) zh("与设备档案比较 {done}/{count}") en("compared with profile {done} of {count}")
    found(setting: &str, unit: u8) zh("{setting}  地址 {unit} 有应答") en("{setting}  address {unit} answers")
    meter(setting: &str, language: &str, address: &str)
        zh("{setting}  {language} 表，地址 {address}") en("{setting}  a meter of {language}, address {address}")
    several(address: &str)
        zh("地址 {address} 上有几台表同时应答，或线路有干扰")
        en("several meters answer to {address} at once, or the line is disturbed")
    secondary() zh("二级地址") en("secondary address")
    searching(setting: &str, at: &str, found: usize)
        zh("{setting}  {at}，已找到 {found}") en("{setting}  {at}, {found} found")
    introduces(instance: u32, at: &str, vendor: u16)
        zh("设备 {instance} 在 {at}，厂商编号 {vendor}") en("device {instance} at {at}, vendor {vendor}")
    introduced(count: usize) zh("已有 {count} 台设备自报") en("{count} have introduced themselves")
    twice(instance: u32, one: &str, other: &str)
        zh("实例号 {instance} 有两台设备：{one} 和 {other}；请改掉其中一台的编号，在此之前只能按地址（host）询问")
        en("two devices have the instance number {instance}: {one} and {other}; give one of them another, until then they are asked by their host")
    nobody_introduces()
        zh("没有设备自报；检查网段和广播地址（--broadcast），或加长 --wait；设备在另一个网段时需要 BBMD")
        en("nobody introduces himself: check the network and its broadcast address (--broadcast), or wait longer (--wait); devices beyond a router need a BBMD")
    no_network(name: &str, file: &std::path::Path)
        zh("{} 中没有名为 {name} 的 BACnet 线路", file.display()) en("there is no BACnet line {name} in {}", file.display())
    says(said: &str) zh("设备自称“{said}”") en("it says \"{said}\"")
    proposal(profile: &str, percent: f64, why: &str)
        zh("    {percent:>3}%  {profile}（{why}）") en("    {percent:>3}%  {profile} ({why})")
    weak_proposal(profile: &str, percent: f64, why: &str)
        zh("    {percent:>3}%  {profile}：依据不足（{why}）") en("    {percent:>3}%  {profile}: weak ({why})")
    all_weak()
        zh("    以上都只是猜测，别的设备也可能这样应答；以铭牌为准，用 read 核对数值")
        en("    these are guesses, other devices would answer the same: go by the name plate, and check the values with read")
    its_addresses() zh("恰好在它的地址上有应答") en("has its addresses, and hardly others")
    no_profile() zh("没有相符的设备档案") en("no profile fits")
    perhaps(profiles: &str)
        zh("没有确定相符的设备档案，可能是 {profiles}") en("no profile fits for sure, perhaps {profiles}")
    a_guess() zh("猜测：以铭牌为准") en("a guess: go by the name plate")
    never() zh("设备没有应答；检查地址、速率、校验和接线，或用 scan 查找谁在应答") en("the device does not answer; check address, rate, parity and wiring, or find with scan who answers")
    gone() zh("设备不再应答") en("the device does not answer any more")
    broken_off(asked: usize, all: usize)
        zh("在第 {asked}/{all} 次提问处中断；已找到的如下") en("ended at question {asked} of {all}; what was found follows")
    nobody()
        zh("没有设备应答；检查接线（A/B 是否接反）和供电，或加 --thorough、--all，或延长 --patience")
        en("nobody answers: check wiring (A and B may be swapped) and supply, or add --thorough, --all, or a longer --patience")
    paste() zh("# 可粘贴到网关文件：") en("# To paste into the gateway's file:")
}

/// As people say it.
pub fn time(lang: Lang, time: Duration) -> String {
    let seconds = time.as_secs();
    let (zh, en) = match seconds {
        0..=89 => (format!("{seconds} 秒"), format!("{seconds} s")),
        _ => (format!("{} 分钟", seconds / 60), format!("{} min", seconds / 60)),
    };
    lang.pick(zh, en)
}
