größe = "Größe"
naïve = {"é": größe}
if größe:
    x = "日本語"  # 注釈
else:
    x = "☃"
