//! What is said of a profile that cannot be had.

use super::texts;

texts! {
    unreadable(path: &str, why: &str)
        zh("{path} 不能读取：{why}")
        en("{path} cannot be read: {why}")
    meant(id: &str, meant: &str)
        zh("没有设备档案“{id}”；是不是“{meant}”？")
        en("there is no profile \"{id}\"; did you mean \"{meant}\"?")
    unknown(id: &str)
        zh("没有设备档案“{id}”；请写 厂商/型号、档案文件的路径，或用 --profiles 指出自己的档案目录")
        en("there is no profile \"{id}\"; write vendor/model, the path of its file, or name your own folder by --profiles")
}
