# /settings.

settings-title =
    Your settings. Press a button to change one.

    The size and the number apply to pictures that I make from words.
settings-today = Today: { $used } of { $limit } pictures. A new day begins in { $left }.
settings-language = { $option ->
        [en] English
        [ru] Русский
       *[auto] Language of Telegram
    }
settings-size = { $option ->
        [square] Square 1:1
        [portrait] Portrait 3:4
        [landscape] Landscape 4:3
        [tall] Tall 9:16
        [wide] Wide 16:9
       *[auto] Any size
    }
settings-pictures = { $option ->
        [1] 1 picture
       *[other] { $option }
    }
settings-chosen = ✓ { $option }
settings-saved = Saved
settings-stale = This button is out of date. Send /settings for new ones.
