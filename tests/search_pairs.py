"""What finds what: titles with queries that find them and queries that do not, script by script.

docs/search.md shows these; `*` stands before a query that must not find the title.
"""

PAIRS = {
    "Latin": """
        Ender's Game: enders game | ender s game | ender’s | ender's ga | *ender x
        Spider-Man: spiderman | spider man | spider‐man
        Spider Man: spider-man
        Catch 22: catch22 | catch-22
        Catch-22: catch 22 | catch22
        1Q84: 1q84 | *84
        L'Étranger: etranger | letranger | l’étranger
        Rock n Roll: rock'n'roll | rock-'n'-roll
        Will-o'-the-Wisp: willothewisp | will o the wisp | will o' the wisp
        J.R.R. Tolkien: jrr tolkien | j r r tolkien | j. r. r. tolkien | tolkien j | *rr tolkien
        J. K. Rowling: jk | j k rowling | jk rowling
        Programming in C++: c++ | *c#
        The C Programming Language: c | *c++
        Pro .NET: .net | net
        Pro ASP.NET: .net | aspnet | asp.net
        Net Gain: net | *.net
        20,000 Leagues: 20000 | 20,000 | 20 000
        Pride & Prejudice: pride and prejudice | pride & prejudice
        Simon&Schuster: simon and schuster | simon schuster
        Java™ Puzzlers: java puzzlers | java™ puzzlers
        9½ Weeks: 9 1/2 weeks | 9½ weeks | 9 weeks
        Straße: strasse | STRASSE
        Smørrebrød: smorrebrod
        Đặng: dang
        Þórðarson: thordarson
        IŞIK: ışık | isik
        İstanbul: istanbul
        Ｄｕｎｅ: dune
        Hawaiʻi: hawaii | hawai'i
        ʿAbd al-Raḥmān: abd al-rahman | abd alrahman
        Qurʾān: quran | qur'an
        obʺi︠a︡vlenie: obiavlenie
        Kꞌicheʼ: kiche | k'iche'
        Dune Messiah: dun | dune mess | *dun messiah
    """,
    "Greek": """
        Ὀδύσσεια: οδυσσεια
        ΟΔΥΣΣΕΥΣ: Οδυσσεύς
        τῷ ἀνθρώπῳ: τω ανθρωπω
    """,
    "Cyrillic": """
        Ещё: еще
        Толстой: толстой | *толстои
        Їжак: їжак | *іжак
        За́мок: замок
        М'яч: мяч | м’яч
    """,
    "Hebrew": """
        שָׁלוֹם: שלום
        תנ״ך: תנך
        בית־הספר: בית הספר
        ייִדישע: יידישע
    """,
    "Arabic": """
        كِتَابُ الأغاني: كتاب الاغاني
        مدرسة: مدرسه
        موسى: موسي
        محـــمد: محمد
        كتب: *كتاب
        کتاب یک: كتاب يك
        می‌روم: میروم | می روم
        لڑکی: *لڑکے
    """,
    "Syriac": "ܫܠܳܡܳܐ: ܫܠܡܐ",
    "Thaana": "ދިވެހި: ދިވެހި | *ދވހ",
    "Devanagari": """
        गोदान: गोदान | *दान
        मेरा परिवार: परिवार | *राम
        हिन्दी साहित्य: हिंदी
        ज़िंदगी: जिंदगी
        १९८४: 1984
    """,
    "Bengali": """
        গোরা: গোরা | *রাগ
        ভবিষ্যৎ: ভবিষ্যত্‍
        হয় ভালো: হয় | *হয ভালো
    """,
    "Gurmukhi": "ਪਿੰਜਰ: ਪਿੰਜਰ",
    "Tamil": """
        கடல்: கடல் | *கடி
        பொன்னியின் செல்வன்: பொன்னியின்
    """,
    "Telugu": "మహాభారతం: మహాభారతం",
    "Malayalam": "ചെമ്മീൻ: ചെമ്മീന്‍",
    "Sinhala": "මඩොල් දූව: මඩොල්",
    "Thai": """
        ความสุขของกะทิ: ความสุข | กะทิ | ความสุขของกะทิ
        ปลา: ปลา | *ป่า
    """,
    "Lao": "ພາສາລາວ: ລາວ",
    "Khmer": "ភាសាខ្មែរ: ខ្មែរ",
    "Burmese": "မြန်မာစာ: စာ",
    "Tibetan": "བོད་ཡིག: ཡིག",
    "Georgian": "ვეფხისტყაოსანი: ვეფხის",
    "Armenian": """
        և: եւ
        Ի՞նչ անել: ինչ անել | ի՞նչ
    """,
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ᠋: ᠮᠣᠩᠭᠣᠯ",
    "Ethiopic": "ፍቅር እስከ መቃብር: እስከ",
    "Han": """
        傭兵と小説家: 小説 | 傭兵 小説 | 家
        红楼梦: 楼梦 | *红梦
        吾輩は猫である: 猫
        Python入門: python | 入門
        独習C++: c++ | 独習c++ | 独習 c++ | *c#
        独習C++ 第4版: *独習 c 第4版
        VB.NET入門: .net | vb.net | 入門
        .NETの設計: .net | 設計
    """,
    "Kana": """
        はは: はは | *ぱぱ
        がくもんのすすめ: がく | *かく
        ﾊﾟﾊﾟ: パパ
        ジョン・スミス: ジョンスミス | スミス
        サン＝テグジュペリ: サンテグジュペリ | サン゠テグジュペリ | サン・テグジュペリ
        ノルウェイの森: 森
    """,
    "Hangul": """
        대한민국: 민국
        소년이 온다: 소년 | *년소
    """,
    "digits of other scripts": "١٩٨٤: 1984 | ۱۹۸۴",
}


def pairs():
    """(script, title, query, whether the query finds the title)"""
    for script, lines in PAIRS.items():
        for line in filter(None, map(str.strip, lines.splitlines())):
            title, _, queries = line.rpartition(": ")
            for query in queries.split(" | "):
                yield script, title, query.removeprefix("*"), not query.startswith("*")
