"""Which of Apprise's URLs may be a channel. docs/apprise.md says the same for people.

Named are those whose whole way out is HTTP by `requests`, so that `supervised` holds for them. A
scheme that a later version of the library brings is refused until somebody has looked at it.
"""

from __future__ import annotations

ALLOWED = frozenset(
    """
    46elks acs apprise apprises atalk awswhatsapp azure bale bark barks betterstack bluesky
    brevo bsky bulksms bulkvs burstsms chanify clickatell clicksend cliq cm d7sms dapnet
    dingtalk discord dot eight00com elks emby embys enigma2 enigma2s evolution evolutions exotel
    feishu firehydrant flock flowtriq flowtriqs fluxer fluxers form forms freemobile gchat
    github goalert goalerts gorush gorushs gotify gotifys groundmail groupme guilded gupshup
    hassio hassios httpsms humhub humhubs ifttt ilert incidentio infobip instagram jellyfin
    jellyfins jira join json jsons kakao kakaotalk kaleyra kavenegar klr kodi kodis kook
    kudosity kumulos lametric lametrics lark lauther lfg line mailersend mailgun mastodon
    mastodons matrix matrixs misskey misskeys mmost mmosts mobilemessage mobilemsg msg91 msgbird
    ncloud nclouds nctalk nctalks nexmo notica noticas notifiarr notifico notificos notifyapp
    notifyre ntfy ntfys o365 octopush onebot onebots onesignal opsgenie opsimate opsimates
    pagerduty pagertree parsep parseps pbul pinglet pinglets pingram pjet pjets plivo postmark
    pover prowl psafer psafers push pushdeer pushdeers pushed pushme pushplus pushward pushy qq
    reddit resend revolt ringc rocket rockets ryver schan sendgrid sendpulse serwersms ses
    session sessions seven sfr signal signalgrid signals signl4 simplepush sinch slack smsc
    smseagle smseagles smsmanager smsmgr smstunnel smtp2go sns sogs sparkpost spike splunk
    spugpush spush squadcast stackfield strmlabs synology synologys telesign telnyx tgram
    threema toot toots trigv trigvs tweet twilio twist twitter viber victorops voipms vonage
    webex wechat wecom wecombot whapi whatsapp workflow workflows wpush wxpusher wxteams x xbmc
    xbmcs xmatters xml xmls youlmk zalo zcliq zohocliq zoom zulip
    """.split()  # noqa: SIM905 - a literal of strings would take 230 lines
)

# What the others do, and so are refused for.
SOCKETS = frozenset(
    {
        "amqp",
        "amqps",
        "aprs",
        "irc",
        "ircs",
        "mqtt",
        "mqtts",
        "nostr",
        "growl",
        "rsyslog",
        "smpp",
        "smpps",
        "xmpp",
        "xmpps",
    }
)
MAIL = frozenset({"mailto", "mailtos", "deltachat", "deltachats"})
THIS_MACHINE = frozenset(
    {"blink1", "dbus", "kde", "qt", "glib", "gio", "gnome", "macosx", "syslog", "windows"}
)
FILES = frozenset({"fcm", "vapid"})
REFUSED = SOCKETS | MAIL | THIS_MACHINE | FILES

# Parameters of a URL that name files: attachments, keys, other configurations.
NAMES_FILES = frozenset(
    {
        "attach",
        "attachment",
        "config",
        "file",
        "filename",
        "include",
        "keyfile",
        "subfile",
        "pgppub",
        "pgpprv",
    }
)
# For these `template` is a file too; for others it is one that the service keeps.
TEMPLATES_ARE_FILES = frozenset({"discord", "slack", "tgram", "workflow", "workflows"})
