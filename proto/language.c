#include "proto/language.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ISO 639-2 codes, terminological and bibliographic, each with the ISO 639-1 code of its language;
 * and these with the terminological one. Sorted. */
#define CODE 3
#define TAG 2
static const char codes[][CODE + TAG + 1] = {
    "aaraa", "abkab", "afraf", "akaak", "albsq", "amham", "araar", "argan", "armhy", "asmas",
    "avaav", "aveae", "aymay", "azeaz", "bakba", "bambm", "baqeu", "belbe", "benbn", "bihbh",
    "bisbi", "bodbo", "bosbs", "brebr", "bulbg", "burmy", "catca", "cescs", "chach", "chece",
    "chizh", "chucu", "chvcv", "corkw", "cosco", "crecr", "cymcy", "czecs", "danda", "deude",
    "divdv", "dutnl", "dzodz", "ellel", "engen", "epoeo", "estet", "euseu", "eweee", "faofo",
    "fasfa", "fijfj", "finfi", "frafr", "frefr", "fryfy", "fulff", "geoka", "gerde", "glagd",
    "glega", "glggl", "glvgv", "greel", "grngn", "gujgu", "hatht", "hauha", "hebhe", "herhz",
    "hinhi", "hmoho", "hrvhr", "hunhu", "hyehy", "iboig", "iceis", "idoio", "iiiii", "ikuiu",
    "ileie", "inaia", "indid", "ipkik", "islis", "itait", "javjv", "jpnja", "kalkl", "kankn",
    "kasks", "katka", "kaukr", "kazkk", "khmkm", "kikki", "kinrw", "kirky", "komkv", "konkg",
    "korko", "kuakj", "kurku", "laolo", "latla", "lavlv", "limli", "linln", "litlt", "ltzlb",
    "lublu", "luglg", "macmk", "mahmh", "malml", "maomi", "marmr", "mayms", "mkdmk", "mlgmg",
    "mltmt", "monmn", "mrimi", "msams", "myamy", "nauna", "navnv", "nblnr", "ndend", "ndong",
    "nepne", "nldnl", "nnonn", "nobnb", "norno", "nyany", "ocioc", "ojioj", "orior", "ormom",
    "ossos", "panpa", "perfa", "plipi", "polpl", "porpt", "pusps", "quequ", "rohrm", "ronro",
    "rumro", "runrn", "rusru", "sagsg", "sansa", "sinsi", "slksk", "slosk", "slvsl", "smese",
    "smosm", "snasn", "sndsd", "somso", "sotst", "spaes", "sqisq", "srdsc", "srpsr", "sswss",
    "sunsu", "swasw", "swesv", "tahty", "tamta", "tattt", "telte", "tgktg", "tgltl", "thath",
    "tibbo", "tirti", "tonto", "tsntn", "tsots", "tuktk", "turtr", "twitw", "uigug", "ukruk",
    "urdur", "uzbuz", "venve", "vievi", "volvo", "welcy", "wlnwa", "wolwo", "xhoxh", "yidyi",
    "yoryo", "zhaza", "zhozh", "zulzu"};
static const char tags[][TAG + CODE + 1] = {
    "aaaar", "ababk", "aeave", "afafr", "akaka", "amamh", "anarg", "arara", "asasm", "avava",
    "ayaym", "azaze", "babak", "bebel", "bgbul", "bhbih", "bibis", "bmbam", "bnben", "bobod",
    "brbre", "bsbos", "cacat", "ceche", "chcha", "cocos", "crcre", "csces", "cuchu", "cvchv",
    "cycym", "dadan", "dedeu", "dvdiv", "dzdzo", "eeewe", "elell", "eneng", "eoepo", "esspa",
    "etest", "eueus", "fafas", "ffful", "fifin", "fjfij", "fofao", "frfra", "fyfry", "gagle",
    "gdgla", "glglg", "gngrn", "guguj", "gvglv", "hahau", "heheb", "hihin", "hohmo", "hrhrv",
    "hthat", "huhun", "hyhye", "hzher", "iaina", "idind", "ieile", "igibo", "iiiii", "ikipk",
    "ioido", "isisl", "itita", "iuiku", "jajpn", "jvjav", "kakat", "kgkon", "kikik", "kjkua",
    "kkkaz", "klkal", "kmkhm", "knkan", "kokor", "krkau", "kskas", "kukur", "kvkom", "kwcor",
    "kykir", "lalat", "lbltz", "lglug", "lilim", "lnlin", "lolao", "ltlit", "lulub", "lvlav",
    "mgmlg", "mhmah", "mimri", "mkmkd", "mlmal", "mnmon", "mrmar", "msmsa", "mtmlt", "mymya",
    "nanau", "nbnob", "ndnde", "nenep", "ngndo", "nlnld", "nnnno", "nonor", "nrnbl", "nvnav",
    "nynya", "ococi", "ojoji", "omorm", "orori", "ososs", "papan", "pipli", "plpol", "pspus",
    "ptpor", "quque", "rmroh", "rnrun", "roron", "rurus", "rwkin", "sasan", "scsrd", "sdsnd",
    "sesme", "sgsag", "sisin", "skslk", "slslv", "smsmo", "snsna", "sosom", "sqsqi", "srsrp",
    "ssssw", "stsot", "susun", "svswe", "swswa", "tatam", "tetel", "tgtgk", "ththa", "titir",
    "tktuk", "tltgl", "tntsn", "toton", "trtur", "tstso", "tttat", "twtwi", "tytah", "uguig",
    "ukukr", "ururd", "uzuzb", "veven", "vivie", "vovol", "wawln", "wowol", "xhxho", "yiyid",
    "yoyor", "zazha", "zhzho", "zuzul"};

static int compare_codes(const void *key, const void *row)
{
    return strncmp(key, row, CODE);
}

static int compare_tags(const void *key, const void *row)
{
    return strncmp(key, row, TAG);
}

/* Of a code its tag; NULL: it has none. */
static const char *find_tag(const char *code)
{
    const char *row =
        bsearch(code, codes, sizeof codes / sizeof codes[0], sizeof codes[0], compare_codes);
    return row != NULL ? row + CODE : NULL;
}

/* Of a tag of two letters its code; NULL: it has none. */
static const char *find_code(const char *tag)
{
    const char *row =
        bsearch(tag, tags, sizeof tags / sizeof tags[0], sizeof tags[0], compare_tags);
    return row != NULL ? row + TAG : NULL;
}

/* How many letters text begins with; the first three, capitals made small. */
static size_t take_letters(const char *text, char out[GM_LANGUAGE_SIZE])
{
    size_t n = 0;
    for (;; n++) {
        char c = text[n];
        c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (c < 'a' || c > 'z') {
            break;
        }
        if (n < GM_LANGUAGE_SIZE - 1) {
            out[n] = c;
            out[n + 1] = '\0';
        }
    }
    return n;
}

void gm_language_code(const char *text, char out[GM_LANGUAGE_SIZE])
{
    char letters[GM_LANGUAGE_SIZE] = "";
    const char *found = NULL;
    size_t n = text != NULL ? take_letters(text, letters) : 0;
    if (n > 0 && (text[n] == '\0' || text[n] == '-')) {
        const char *tag = n == CODE ? find_tag(letters) : n == TAG ? letters : NULL;
        found = tag != NULL ? find_code(tag) : n == CODE ? letters : NULL;
    }
    memcpy(out, found != NULL ? found : "und", GM_LANGUAGE_SIZE);
}

const char *gm_language_tag(const char *code)
{
    char letters[GM_LANGUAGE_SIZE];
    if (code == NULL || take_letters(code, letters) != CODE || code[CODE] != '\0' ||
        strcmp(code, letters) != 0 || strcmp(code, "und") == 0) {
        return NULL;
    }
    const char *tag = find_tag(code);
    return tag != NULL ? tag : code;
}
