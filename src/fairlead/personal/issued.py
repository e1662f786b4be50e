"""Keys and tokens that show who issued them: one form for each issuer, by its prefix, alphabet and length."""

from __future__ import annotations

from fairlead.personal.recogniser import LONG, Recogniser

_A = "[0-9A-Za-z]"
_W = r"[0-9A-Za-z_\-]"
_H = "[0-9a-f]"

_CLOUDS = {
    "Alibaba": rf"LTAI{_A}{{16,24}}",
    "AWS": r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",
    "Azure resource": r"[0-9A-Za-z+/]{76}(?:\+ASt|\+AMC|AzSe|AzFu|ACDb|AIoT|APIM|ACRD)[0-9A-Za-z+/]{4,6}={0,2}",
    "Databricks": rf"dapi{_H}{{32}}(?:-\d)?",
    "DigitalOcean": rf"do[opr]_v1_{_H}{{64}}",
    "Google API": rf"AIza{_W}{{35}}",
    "Google OAuth": rf"GOCSPX-{_W}{{28}}|ya29\.{_W}{{20,400}}|1//0{_W}{{30,200}}",
    "HashiCorp": rf"hv[sbr]\.{_W}{{24,300}}|{_A}{{14}}\.atlasv1\.{_W}{{60,70}}",
    "Pulumi": rf"pul-{_H}{{40}}",
    "Supabase": rf"sbp_{_H}{{40}}",
    "Tailscale": rf"tskey-[a-z]{{2,8}}-{_W}{{17,60}}",
}

_SERVICES = {
    "age": r"AGE-SECRET-KEY-1[0-9A-Z]{58}",
    "Anthropic": rf"sk-ant-[a-z]{{2,10}}\d{{2}}-{_W}{{20,200}}",
    "Atlassian": r"AT[AC]TT3[0-9A-Za-z_\-=]{100,250}",
    "Discord": rf"[MNO]{_W}{{23,27}}\.{_W}{{6}}\.{_W}{{27,40}}",
    "Discord webhook": rf"https://(?:ptb\.|canary\.)?discord(?:app)?\.com/api/webhooks/\d{{15,21}}/{_W}{{60,70}}",
    "Docker": rf"dckr_(?:pat|oat)_{_W}{{27,50}}",
    "Figma": rf"fig[dou]r?_{_W}{{40}}",
    "GitHub": rf"gh[opsur]_{_A}{{36,251}}|github_pat_{_A}{{22}}_{_A}{{59}}",
    "GitLab": rf"gl(?:pat|dt|rt|ft|soat|cbt|ptt|agent|imt|ffct|wt|oas)-{_W}{{20,64}}(?:\.[0-9a-z.]{{9,12}})?",
    "Grafana": r"gl(?:c|sa)_[0-9A-Za-z+/=_]{32,200}",
    "Groq": rf"gsk_{_A}{{40,60}}",
    "Hugging Face": rf"hf_{_A}{{30,60}}|api_org_{_A}{{34}}",
    "LangSmith": rf"lsv2_(?:pt|sk)_{_H}{{32}}_{_H}{{10}}",
    "Linear": rf"lin_api_{_A}{{40}}",
    "Mailchimp": rf"{_H}{{32}}-us\d{{1,2}}",
    "Mailgun": rf"key-{_H}{{32}}",
    "New Relic": r"NRAK-[0-9A-Z]{27}",
    "Notion": rf"(?:ntn|secret)_{_A}{{43,50}}",
    "npm": rf"npm_{_A}{{36}}",
    "NVIDIA": rf"nvapi-{_W}{{60,80}}",
    "OpenAI": rf"sk-(?:proj|svcacct|admin|None)-{_W}{{20,250}}|sk-{_A}{{20,64}}|sess-{_A}{{40}}",
    "OpenRouter": rf"sk-or-v1-{_H}{{64}}",
    "Perplexity": rf"pplx-{_A}{{40,60}}",
    "Pinecone": r"pcsk_[0-9A-Za-z_]{60,80}",
    "PostHog": rf"ph[cx]_{_A}{{43}}",
    "Postman": rf"PMAK-{_H}{{24}}-{_H}{{34}}",
    "PyPI": rf"pypi-{_W}{{50,300}}",
    "Replicate": rf"r8_{_A}{{37,40}}",
    "RubyGems": rf"rubygems_{_H}{{48}}",
    "SendGrid": rf"SG\.{_W}{{16,32}}\.{_W}{{16,64}}",
    "Sentry": r"sntry[su]_[0-9A-Za-z+/=_]{40,300}",
    "Shopify": r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    "Slack": r"xox[abeoprs](?:\.xox[bp])?-[0-9A-Za-z\-]{10,250}|xapp-\d-[0-9A-Z]{8,14}-\d{10,16}-[0-9a-z]{32,80}",
    "Slack webhook": r"https://hooks\.slack\.com/(?:services|workflows)/[0-9A-Za-z/+]{40,60}",
    "Square": rf"sq0(?:atp|csp)-{_W}{{22,50}}|EAAA{_W}{{60}}",
    "Stripe": rf"(?:sk|rk|pk)_(?:live|test|prod)_{_A}{{10,247}}|whsec_[0-9A-Za-z+/=]{{32,80}}",
    "Telegram": rf"\d{{8,10}}:AA{_W}{{33}}",
    "Together": rf"tgp_v1_{_W}{{40,50}}",
    "Twilio": rf"(?:SK|AC){_H}{{32}}",
    "xAI": rf"xai-{_A}{{60,100}}",
}

_OURS = rf"fl_{_H}{{8}}_{_H}{{48}}"  # gateway.identity
_JWT = rf"ey[IJ]{_W}{{8,}}\.{_W}{{4,}}(?:\.{_W}*){{0,3}}"
# As far as it looks like a key, since a log may cut it off. The line breaks may be written out.
_PEM = (
    r"(?:-----BEGIN (?:[0-9A-Z]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----|PuTTY-User-Key-File-\d:)"
    r"(?:-?[0-9A-Za-z+/=:,.\s\\()_])*(?:-----END [0-9A-Z ]{1,40}-----)?"
)

RECOGNISERS = (
    Recogniser("private_key", _PEM, needs=r"-----BEGIN |PuTTY-User-Key-File-"),
    Recogniser("jwt", _JWT, needs=r"\bey[IJ]"),
    Recogniser("fairlead_key", _OURS, needs=LONG),
    Recogniser("cloud_key", r"[0-9A-Za-z_~.\-]{3}[78]Q~[0-9A-Za-z_~.\-]{31,34}", needs=r"[78]Q~"),  # an application of Azure's
    Recogniser("cloud_key", "|".join(_CLOUDS.values()), needs=LONG),
    Recogniser("api_token", "|".join(_SERVICES.values()), needs=LONG),
)
