#include "src/text/language_codes.h"

#include <algorithm>
#include <iterator>

namespace toolformer {
namespace {

// In the order of their ids.
constexpr std::string_view kNllb[] = {
    "ace_Arab", "ace_Latn", "acm_Arab", "acq_Arab", "aeb_Arab", "afr_Latn", "ajp_Arab", "aka_Latn", "amh_Ethi",
    "apc_Arab", "arb_Arab", "ars_Arab", "ary_Arab", "arz_Arab", "asm_Beng", "ast_Latn", "awa_Deva", "ayr_Latn",
    "azb_Arab", "azj_Latn", "bak_Cyrl", "bam_Latn", "ban_Latn", "bel_Cyrl", "bem_Latn", "ben_Beng", "bho_Deva",
    "bjn_Arab", "bjn_Latn", "bod_Tibt", "bos_Latn", "bug_Latn", "bul_Cyrl", "cat_Latn", "ceb_Latn", "ces_Latn",
    "cjk_Latn", "ckb_Arab", "crh_Latn", "cym_Latn", "dan_Latn", "deu_Latn", "dik_Latn", "dyu_Latn", "dzo_Tibt",
    "ell_Grek", "eng_Latn", "epo_Latn", "est_Latn", "eus_Latn", "ewe_Latn", "fao_Latn", "pes_Arab", "fij_Latn",
    "fin_Latn", "fon_Latn", "fra_Latn", "fur_Latn", "fuv_Latn", "gla_Latn", "gle_Latn", "glg_Latn", "grn_Latn",
    "guj_Gujr", "hat_Latn", "hau_Latn", "heb_Hebr", "hin_Deva", "hne_Deva", "hrv_Latn", "hun_Latn", "hye_Armn",
    "ibo_Latn", "ilo_Latn", "ind_Latn", "isl_Latn", "ita_Latn", "jav_Latn", "jpn_Jpan", "kab_Latn", "kac_Latn",
    "kam_Latn", "kan_Knda", "kas_Arab", "kas_Deva", "kat_Geor", "knc_Arab", "knc_Latn", "kaz_Cyrl", "kbp_Latn",
    "kea_Latn", "khm_Khmr", "kik_Latn", "kin_Latn", "kir_Cyrl", "kmb_Latn", "kon_Latn", "kor_Hang", "kmr_Latn",
    "lao_Laoo", "lvs_Latn", "lij_Latn", "lim_Latn", "lin_Latn", "lit_Latn", "lmo_Latn", "ltg_Latn", "ltz_Latn",
    "lua_Latn", "lug_Latn", "luo_Latn", "lus_Latn", "mag_Deva", "mai_Deva", "mal_Mlym", "mar_Deva", "min_Latn",
    "mkd_Cyrl", "plt_Latn", "mlt_Latn", "mni_Beng", "khk_Cyrl", "mos_Latn", "mri_Latn", "zsm_Latn", "mya_Mymr",
    "nld_Latn", "nno_Latn", "nob_Latn", "npi_Deva", "nso_Latn", "nus_Latn", "nya_Latn", "oci_Latn", "gaz_Latn",
    "ory_Orya", "pag_Latn", "pan_Guru", "pap_Latn", "pol_Latn", "por_Latn", "prs_Arab", "pbt_Arab", "quy_Latn",
    "ron_Latn", "run_Latn", "rus_Cyrl", "sag_Latn", "san_Deva", "sat_Beng", "scn_Latn", "shn_Mymr", "sin_Sinh",
    "slk_Latn", "slv_Latn", "smo_Latn", "sna_Latn", "snd_Arab", "som_Latn", "sot_Latn", "spa_Latn", "als_Latn",
    "srd_Latn", "srp_Cyrl", "ssw_Latn", "sun_Latn", "swe_Latn", "swh_Latn", "szl_Latn", "tam_Taml", "tat_Cyrl",
    "tel_Telu", "tgk_Cyrl", "tgl_Latn", "tha_Thai", "tir_Ethi", "taq_Latn", "taq_Tfng", "tpi_Latn", "tsn_Latn",
    "tso_Latn", "tuk_Latn", "tum_Latn", "tur_Latn", "twi_Latn", "tzm_Tfng", "uig_Arab", "ukr_Cyrl", "umb_Latn",
    "urd_Arab", "uzn_Latn", "vec_Latn", "vie_Latn", "war_Latn", "wol_Latn", "xho_Latn", "ydd_Hebr", "yor_Latn",
    "yue_Hant", "zho_Hans", "zho_Hant", "zul_Latn",
};
constexpr std::string_view kM2m100[] = {
    "af", "am", "ar", "ast", "az", "ba",  "be", "bg", "bn", "br", "bs", "ca", "ceb", "cs", "cy", "da", "de",
    "el", "en", "es", "et",  "fa", "ff",  "fi", "fr", "fy", "ga", "gd", "gl", "gu",  "ha", "he", "hi", "hr",
    "ht", "hu", "hy", "id",  "ig", "ilo", "is", "it", "ja", "jv", "ka", "kk", "km",  "kn", "ko", "lb", "lg",
    "ln", "lo", "lt", "lv",  "mg", "mk",  "ml", "mn", "mr", "ms", "my", "ne", "nl",  "no", "ns", "oc", "or",
    "pa", "pl", "ps", "pt",  "ro", "ru",  "sd", "si", "sk", "sl", "so", "sq", "sr",  "ss", "su", "sv", "sw",
    "ta", "th", "tl", "tn",  "tr", "uk",  "ur", "uz", "vi", "wo", "xh", "yi", "yo",  "zh", "zu",
};
constexpr std::string_view kWmt21[] = {"en", "ha", "is", "ja", "cs", "ru", "zh", "de"};

// By label; labels of languages that neither family knows are left out.
constexpr LanguageCodes kByLabel[] = {
    {"af", "afr_Latn", "af"}, {"am", "amh_Ethi", "am"},   {"ar", "arb_Arab", "ar"},  {"arz", "arz_Arab", "ar"},
    {"as", "asm_Beng", ""},   {"ast", "ast_Latn", "ast"}, {"az", "azj_Latn", "az"},  {"azb", "azb_Arab", ""},
    {"ba", "bak_Cyrl", "ba"}, {"be", "bel_Cyrl", "be"},   {"bg", "bul_Cyrl", "bg"},  {"bh", "bho_Deva", ""},
    {"bn", "ben_Beng", "bn"}, {"bo", "bod_Tibt", ""},     {"br", "", "br"},          {"bs", "bos_Latn", "bs"},
    {"ca", "cat_Latn", "ca"}, {"ceb", "ceb_Latn", "ceb"}, {"ckb", "ckb_Arab", ""},   {"cs", "ces_Latn", "cs"},
    {"cy", "cym_Latn", "cy"}, {"da", "dan_Latn", "da"},   {"de", "deu_Latn", "de"},  {"el", "ell_Grek", "el"},
    {"en", "eng_Latn", "en"}, {"eo", "epo_Latn", ""},     {"es", "spa_Latn", "es"},  {"et", "est_Latn", "et"},
    {"eu", "eus_Latn", ""},   {"fa", "pes_Arab", "fa"},   {"fi", "fin_Latn", "fi"},  {"fr", "fra_Latn", "fr"},
    {"fy", "", "fy"},         {"ga", "gle_Latn", "ga"},   {"gd", "gla_Latn", "gd"},  {"gl", "glg_Latn", "gl"},
    {"gn", "grn_Latn", ""},   {"gu", "guj_Gujr", "gu"},   {"he", "heb_Hebr", "he"},  {"hi", "hin_Deva", "hi"},
    {"hr", "hrv_Latn", "hr"}, {"ht", "hat_Latn", "ht"},   {"hu", "hun_Latn", "hu"},  {"hy", "hye_Armn", "hy"},
    {"id", "ind_Latn", "id"}, {"ilo", "ilo_Latn", "ilo"}, {"is", "isl_Latn", "is"},  {"it", "ita_Latn", "it"},
    {"ja", "jpn_Jpan", "ja"}, {"jv", "jav_Latn", "jv"},   {"ka", "kat_Geor", "ka"},  {"kk", "kaz_Cyrl", "kk"},
    {"km", "khm_Khmr", "km"}, {"kn", "kan_Knda", "kn"},   {"ko", "kor_Hang", "ko"},  {"ku", "kmr_Latn", ""},
    {"ky", "kir_Cyrl", ""},   {"lb", "ltz_Latn", "lb"},   {"li", "lim_Latn", ""},    {"lmo", "lmo_Latn", ""},
    {"lo", "lao_Laoo", "lo"}, {"lt", "lit_Latn", "lt"},   {"lv", "lvs_Latn", "lv"},  {"mai", "mai_Deva", ""},
    {"mg", "plt_Latn", "mg"}, {"min", "min_Latn", ""},    {"mk", "mkd_Cyrl", "mk"},  {"ml", "mal_Mlym", "ml"},
    {"mn", "khk_Cyrl", "mn"}, {"mr", "mar_Deva", "mr"},   {"ms", "zsm_Latn", "ms"},  {"mt", "mlt_Latn", ""},
    {"my", "mya_Mymr", "my"}, {"ne", "npi_Deva", "ne"},   {"nl", "nld_Latn", "nl"},  {"nn", "nno_Latn", "no"},
    {"no", "nob_Latn", "no"}, {"oc", "oci_Latn", "oc"},   {"or", "ory_Orya", "or"},  {"pa", "pan_Guru", "pa"},
    {"pl", "pol_Latn", "pl"}, {"ps", "pbt_Arab", "ps"},   {"pt", "por_Latn", "pt"},  {"qu", "quy_Latn", ""},
    {"ro", "ron_Latn", "ro"}, {"ru", "rus_Cyrl", "ru"},   {"sa", "san_Deva", ""},    {"sc", "srd_Latn", ""},
    {"scn", "scn_Latn", ""},  {"sd", "snd_Arab", "sd"},   {"sh", "hrv_Latn", "hr"},  {"si", "sin_Sinh", "si"},
    {"sk", "slk_Latn", "sk"}, {"sl", "slv_Latn", "sl"},   {"so", "som_Latn", "so"},  {"sq", "als_Latn", "sq"},
    {"sr", "srp_Cyrl", "sr"}, {"su", "sun_Latn", "su"},   {"sv", "swe_Latn", "sv"},  {"sw", "swh_Latn", "sw"},
    {"ta", "tam_Taml", "ta"}, {"te", "tel_Telu", ""},     {"tg", "tgk_Cyrl", ""},    {"th", "tha_Thai", "th"},
    {"tk", "tuk_Latn", ""},   {"tl", "tgl_Latn", "tl"},   {"tr", "tur_Latn", "tr"},  {"tt", "tat_Cyrl", ""},
    {"ug", "uig_Arab", ""},   {"uk", "ukr_Cyrl", "uk"},   {"ur", "urd_Arab", "ur"},  {"uz", "uzn_Latn", "uz"},
    {"vec", "vec_Latn", ""},  {"vi", "vie_Latn", "vi"},   {"war", "war_Latn", ""},   {"wuu", "", "zh"},
    {"yi", "ydd_Hebr", "yi"}, {"yo", "yor_Latn", "yo"},   {"yue", "yue_Hant", "zh"}, {"zh", "zho_Hans", "zh"},
};

}  // namespace

std::span<const std::string_view> NllbLanguages() { return kNllb; }
std::span<const std::string_view> M2m100Languages() { return kM2m100; }
std::span<const std::string_view> Wmt21Languages() { return kWmt21; }

std::optional<LanguageCodes> FindLanguage(std::string_view label) {
  const auto* const found =
      std::lower_bound(std::begin(kByLabel), std::end(kByLabel), label,
                       [](const LanguageCodes& codes, std::string_view wanted) { return codes.label < wanted; });
  if (found == std::end(kByLabel) || found->label != label) return std::nullopt;
  return *found;
}

}  // namespace toolformer
