{{/*
Keys of controller.config that are not served as they are written, and what follows: what a running Tidegate says in
/problems and as Events. files/settings.json comes from the program (make generated). Whether the values of keys that are
served can be used is the program's to say.
*/}}
{{- define "tidegate.unserved" -}}
{{- $settings := .Files.Get "files/settings.json" | fromJson -}}
{{- range $key, $value := .Values.controller.config }}
{{- $known := get $settings.unserved $key -}}
{{- if $known }}
{{- if not (has (include "tidegate.templated" (list $ $value) | trim) $known.quiet) }}
  {{ $key }}: {{ $known.consequence }}
{{- end }}
{{- else if not (has $key $settings.served) }}
  {{ $key }}: is not a known setting
{{- end }}
{{- end -}}
{{- end -}}
