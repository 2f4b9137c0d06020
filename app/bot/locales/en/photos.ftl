# Pictures that people send: what can be done with them, and why not.

photo-menu = What shall I do with it?
photo-menu-several = I have these { $count } photos. Merge them, or shall I do something with the last one?
photo-new = All right: tell me what to draw.
photo-button-new = Draw something new
photo-button-edit = Change it
photo-button-retouch = Retouch the portrait
photo-button-upscale = Enlarge
photo-button-merge = Merge with others
picture-gone = I keep pictures only for a while, and no longer have that one. Please send it to me again.
photo-gone = I can't see that picture any more. Please send it again.

photo-too-large = This file is too heavy for me: I can take up to { $megabytes } MB. Could you send it smaller, or as a photo?
photo-too-many-pixels = This picture is larger than I can open: { $megapixels } megapixels is my limit. Please send a smaller one.
photo-too-long = This picture measures { $width } by { $height } pixels, and I can open up to { $most } on a side. Please send a smaller one.
photo-too-small = There is hardly anything to see on { $width } by { $height } pixels; I need at least { $least } on a side. Please send a larger picture.
photo-not-a-picture = I can't open this as a picture. I can open JPEG, PNG and WebP; anything else, please send as a photo.
photo-broken = This picture seems to be damaged, I can't open it. Could you send it again?
photo-too-much = This picture asks too much of me, I can't open it. Could you send it as a photo instead of a file?
photo-too-narrow = This picture is too narrow for me: { $width } by { $height } pixels. Please send one whose longer side is at most { $most } times the shorter one.
photo-moving = I can only work with still pictures. Please send a photo.
photo-unavailable = I could not get this picture from Telegram. Please send it again.

photo-please = Please send me the photo, or /cancel.
photo-one-please = One photo at a time for this one, please.

edit-photo = Send me the picture that you want to change.
edit-instruction = What should I change? Tell me in a sentence, for example “make it winter”.

words-question = Are these words for your picture, or for something new?
words-edit = Edit the picture
words-merge = Merge the photos
words-new = Draw it new

merge-photos = Send me 2 to { $most } photos, together or one by one. Then tell me how to put them together.
merge-more = I have one photo. Send me at least one more.
merge-instruction = I have { $count ->
        [one] one photo
       *[other] { $count } photos
    } of { $most }. Send more, or tell me in a sentence how to put them together.
merge-full = I have { $most } photos, as many as I can put together. Tell me in a sentence how.
merge-too-many = I can put together { $most } photos at most, and now there would be { $count }. Please choose the best ones.
merge-too-few = To put photos together I need at least two. Send me one more.

retouch-photo = Send me the portrait that you want retouched.
upscale-photo = Send me the picture that you want enlarged.
