//! What `enrol` says.

use std::path::Path;

use super::texts;

texts! {
    enrolled(gateway: &str)
        zh("登记成功；本网关的编号是 {gateway}。正在运行的程序几秒内会自行连接")
        en("enrolled; this gateway is {gateway}. A program that runs connects within seconds")
    no_hub(path: &Path)
        zh("{} 没有写服务器；请在其中写上 [hub] address = \"host:7443\"", path.display())
        en("{} names no hub; write [hub] address = \"host:7443\" into it", path.display())
    refused(hub: &str, why: &str)
        zh("服务器 {hub} 没有登记本网关：{why}")
        en("the hub at {hub} did not enrol this gateway: {why}")
}
