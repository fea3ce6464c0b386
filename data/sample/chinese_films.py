"""Seven films that do not exist: their people, their scenes, what they are known for."""

from __future__ import annotations

from typing import NamedTuple

from banks import items


class Film(NamedTuple):
    """An invented film.

    quality: how far its mean opinion lies from the average film, in standard deviations of opinion.
    share: its part of all comments.
    strength, weakness: aspects praised, or blamed, more often than others.
    without: aspects, and single nouns, that the film does not have.
    subjects: what it is about. genres: what it is sold as. quotes: lines spoken in it.
    """

    title: str
    quality: float
    share: float
    strength: tuple[str, ...]
    weakness: tuple[str, ...]
    without: tuple[str, ...]
    roles: tuple[str, ...]
    scenes: tuple[str, ...]
    subjects: tuple[str, ...]
    genres: tuple[str, ...]
    quotes: tuple[str, ...]


def _film(title: str, quality: float, share: float, banks: str) -> Film:
    """A film from its banks, one to a line."""
    columns = [items(line) for line in banks.strip().replace("\n|", "|").splitlines()]
    strength, weakness, without, roles, scenes, subjects, genres, quotes = columns
    return Film(title, quality, share, strength, weakness, without, roles, scenes, subjects, genres, quotes)


# Lines: strength, weakness, without, roles, scenes, subjects, genres, quotes.
# A line that starts with | goes on.
FILMS = (
    _film("外婆的电报机", 0.7, 0.16, """
感情 | 表演 | 台词
节奏
场面 | 配音 | 推理 | 笑点 | 爱情戏 | 兄弟情
外婆 | 小满 | 邮局老赵 | 舅舅 | 报务员阿珍
阁楼翻出电报机 | 外婆敲出最后一行电码 | 祖孙俩在河堤上吃西瓜 | 停电那晚点蜡烛 | 舅舅从南方打来长途
| 雨里追绿皮火车 | 邮局关门前告别 | 全家围着收音机
祖孙情 | 小镇生活 | 八十年代 | 老手艺 | 隔代亲情 | 乡愁 | 邮电局的日常
年代片 | 亲情片 | 方言电影
字少一点，心意就重一点 | 你慢慢敲，我听得见 | 路再远，电报比你先到
"""),
    _film("盐湖列车谜案", 0.3, 0.16, """
剧情 | 推理 | 氛围
人物
配音 | 笑点 | 特效 | 打戏 | 亲情戏 | 兄弟情
乘警老周 | 列车长 | 卧铺女乘客 | 墨镜商人 | 法医小陆
餐车里对质 | 隧道里突然熄灯 | 行李架上掉下皮箱 | 盐湖边追逐 | 凶手摘下手套 | 列车员查票 | 回放那张旧车票
| 月台上交换箱子
密室杀人 | 车厢里的凶案 | 叙述性诡计 | 凶手的动机 | 西北荒漠 | 旧案重查 | 乘警的一天
推理片 | 悬疑片 | 犯罪片
这趟车上没有好人 | 下一站，谁也别下车 | 盐会留下一切脚印
"""),
    _film("纸鲸鱼与月亮岛", 0.4, 0.15, """
画面 | 音乐
剧情 | 台词
表演 | 推理 | 场面 | 爱情戏 | 服化道 | 道具 | 女二号
纸鲸鱼 | 男孩阿泊 | 灯塔婆婆 | 海雾怪 | 月亮猫
纸鲸鱼第一次下水 | 满天灯笼升起来 | 阿泊折断船桨 | 灯塔重新亮起 | 鲸鱼在海底唱歌 | 鲸鱼被雨淋湿
| 月亮猫偷吃鱼干 | 岛民一起叠纸船
海洋童话 | 环保寓意 | 孤独 | 告别 | 奇幻世界观 | 海岛民俗 | 人和自然
国产动画 | 手绘动画 | 合家欢电影
纸湿了还能晒干 | 月亮也有不敢照的地方 | 你折的我，你要负责
"""),
    _film("逆行星轨", -0.2, 0.15, """
场面 | 美术
人物 | 剧情
配音 | 推理 | 笑点 | 打戏 | 动作戏 | 爱情戏
指令长 | 机械师大熊 | 人工智能小七 | 地面总指挥 | 女科学家
空间站解体 | 机械师切断缆绳 | 穿过小行星带 | 倒计时重启引擎 | 小七说再见 | 发射场起雾 | 舱外行走
| 地面总指挥敬礼
太空救援 | 物理常识 | 太阳帆 | 人工智能伦理 | 末日危机 | 失重生活 | 星际航行
科幻片 | 硬科幻 | 灾难片
回家的轨道只有一条 | 燃料不够，就用勇气 | 小七，打开窗户
"""),
    _film("恋爱保质期七天半", -0.65, 0.14, """
笑点 | 音乐
台词 | 感情
场面 | 配音 | 推理 | 兄弟情 | 亲情戏
便利店店长 | 林可 | 男二 | 闺蜜大米 | 相亲对象
便利店门口接吻 | 天台表白 | 婚礼上抢话筒 | 雨中狂奔 | 机场追人 | 喝醉了给前任打电话 | 一起吃过期泡面
| 坐摩天轮
办公室恋情 | 闺蜜情 | 前任 | 霸道总裁 | 便利店日常 | 大龄单身 | 异地恋
爱情片 | 都市轻喜剧 | 小妞电影
爱情过期不退不换 | 多给我半天就好 | 泡面三分钟，我等了三年
"""),
    _film("青瓦巷风云", -0.1, 0.13, """
场面 | 表演 | 美术
节奏 | 结尾
配音 | 推理 | 笑点 | 特效 | 亲情戏
拳师沈三爷 | 哑巴徒弟 | 巡警队长 | 戏班花旦 | 当铺掌柜
戏台上决斗 | 雪夜送葬 | 哑巴徒弟开口 | 当铺赎刀 | 巷口以一敌十 | 茶馆里下战书 | 三爷摔碎酒碗 | 师徒俩磨豆腐
民国往事 | 师徒情 | 传统功夫 | 江湖规矩 | 武馆兴衰 | 快意恩仇 | 侠义
武侠片 | 功夫片 | 动作片
拳头不认人，人要认拳头 | 刀赎得回来，人赎不回来 | 豆腐要慢慢磨
"""),
    _film("谁动了我的拆迁款", -0.4, 0.11, """
笑点 | 表演
结尾 | 主题
场面 | 配音 | 推理 | 爱情戏 | 旁白
刘大爷 | 二姑 | 村主任 | 中介小马 | 三胖
祠堂里分钱 | 二姑装病 | 抬着冰箱堵门 | 三胖掉进鱼塘 | 广场舞对决 | 半夜挖存折 | 村主任念稿子 | 年夜饭掀桌子
家庭闹剧 | 小人物 | 亲戚关系 | 拆迁 | 乡村生活 | 遗产纠纷 | 人情世故
农村喜剧 | 黑色幽默 | 贺岁片
钱还没到，亲戚先到 | 房子拆了，账不能拆 | 我没病，我就是想要钱
"""),
)  # fmt: skip
