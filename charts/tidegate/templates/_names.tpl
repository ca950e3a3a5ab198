{{- define "tidegate.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* The release's name, with the chart's unless it is in there already. */}}
{{- define "tidegate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "tidegate.name" . -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tidegate.controller.fullname" -}}
{{- printf "%s-%s" (include "tidegate.fullname" .) .Values.controller.name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Another object of the controller: (root, suffix). */}}
{{- define "tidegate.controller.part" -}}
{{- $suffix := last . -}}
{{- $length := sub 62 (len $suffix) | int -}}
{{- printf "%s-%s" (include "tidegate.controller.fullname" (first .) | trunc $length | trimSuffix "-") $suffix -}}
{{- end -}}

{{/* The ConfigMap of services: (root, tcp or udp). */}}
{{- define "tidegate.services.name" -}}
{{- printf "%s-%s" (include "tidegate.fullname" (first .)) (last .) -}}
{{- end -}}

{{/* The name of a service's port: (root, tcp or udp, port). */}}
{{- define "tidegate.services.port" -}}
{{- $prefix := default "" (first .).Values.portNamePrefix -}}
{{- printf "%s%v-%s" (ternary (printf "%s-" $prefix) "" (ne $prefix "")) (last .) (index . 1) -}}
{{- end -}}

{{- define "tidegate.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{/* The one namespace that is looked at; nothing where it is all of them. */}}
{{- define "tidegate.scope" -}}
{{- if .Values.controller.scope.enabled -}}
{{- default (include "tidegate.namespace" .) .Values.controller.scope.namespace -}}
{{- end -}}
{{- end -}}

{{/* The value of the old annotation that is ours. */}}
{{- define "tidegate.ingressClass" -}}
{{- default "tidegate" .Values.controller.ingressClass -}}
{{- end -}}

{{/* Whether namespaces that a selector chooses are read by a role in each, and not all of them by one. */}}
{{- define "tidegate.chosen" -}}
{{- $controller := .Values.controller -}}
{{- and .Values.rbac.scope (not $controller.scope.enabled) (not (empty $controller.scope.namespaceSelector)) -}}
{{- end -}}

{{- define "tidegate.serviceAccountName" -}}
{{- default (ternary (include "tidegate.fullname" .) "default" .Values.serviceAccount.create) .Values.serviceAccount.name -}}
{{- end -}}

{{- define "tidegate.selectorLabels" -}}
app.kubernetes.io/name: {{ include "tidegate.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: controller
{{- end -}}

{{/* What all objects have in common, whatever they are part of. */}}
{{- define "tidegate.commonLabels" -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: {{ include "tidegate.name" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* The labels of a part's objects: (root, those by which its Pods are found, which nothing may change). */}}
{{- define "tidegate.labels.of" -}}
{{- $root := first . -}}
{{- include "tidegate.labels.joined" (list (last . | fromYaml) $root.Values.commonLabels (include "tidegate.commonLabels" $root | fromYaml)) -}}
{{- end -}}

{{- define "tidegate.labels" -}}
{{- include "tidegate.labels.of" (list . (include "tidegate.selectorLabels" .)) -}}
{{- end -}}

{{/* Labels of several maps as YAML; where two have one name, the first wins. */}}
{{- define "tidegate.labels.joined" -}}
{{- $joined := dict -}}
{{- range . -}}
{{- $joined = merge $joined (default dict .) -}}
{{- end -}}
{{- include "tidegate.texts" $joined -}}
{{- end -}}

{{/* Name, namespace, labels and annotations: {root, name, namespace?, own?, labels?, annotations?}. */}}
{{- define "tidegate.metadata" -}}
name: {{ .name }}
namespace: {{ default (include "tidegate.namespace" .root) .namespace }}
labels: {{- include "tidegate.labels.joined" (list (default (include "tidegate.labels" .root) .own | fromYaml) .labels) | nindent 2 }}
{{- with .annotations }}
annotations: {{- include "tidegate.texts" . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* A value as text. Helm reads numbers as floats: printed plainly, ten million would become 1e+07. */}}
{{- define "tidegate.text" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end -}}
{{- end -}}

{{/* A map of texts as YAML: annotations and labels are texts, and files have numbers and booleans there without quotes. */}}
{{- define "tidegate.texts" -}}
{{- $texts := dict -}}
{{- range $key, $value := . -}}
{{- $_ := set $texts $key (include "tidegate.text" $value) -}}
{{- end -}}
{{- toYaml $texts -}}
{{- end -}}

{{/* A map of texts as JSON, with their templates carried out: (root, map). */}}
{{- define "tidegate.texts.templated" -}}
{{- $root := first . -}}
{{- $texts := dict -}}
{{- range $key, $value := last . -}}
{{- $_ := set $texts $key (include "tidegate.templated" (list $root $value)) -}}
{{- end -}}
{{- toJson $texts -}}
{{- end -}}

{{/* A value as text, in which templates are carried out, as ingress-nginx's chart does here: (root, value). */}}
{{- define "tidegate.templated" -}}
{{- $text := ternary "" (include "tidegate.text" (last .)) (kindIs "invalid" (last .)) -}}
{{- ternary (tpl $text (first .)) $text (contains "{{" $text) -}}
{{- end -}}

{{/* Fields of a map that are there and not empty: (map, names). Files have numbers in quotes too. */}}
{{- define "tidegate.fields" -}}
{{- $from := first . -}}
{{- range $field := last . }}
{{- with get $from $field }}
{{ $field }}: {{ ternary (toString .) (toJson .) (and (kindIs "string" .) (regexMatch "(Limit|NodePort)$" $field)) }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The name of an image, with the tag where it says none: (image, tag). A repository may say tag or digest itself. */}}
{{- define "tidegate.image" -}}
{{- $image := first . -}}
{{- $image.repository }}
{{- if not (include "tidegate.image.whole" $image.repository) -}}
{{- with default (last .) $image.tag }}:{{ include "tidegate.text" . }}{{ end -}}
{{- with $image.digest }}@{{ . }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Whether a repository says a tag or digest; a registry's port is before the last slash. */}}
{{- define "tidegate.image.whole" -}}
{{- if regexMatch "[:@][^/]+$" . }}true{{ end -}}
{{- end -}}

{{/*
Whether tag and digest are those of ingress-nginx's image, in a file that was written for its chart: its tags are v1.12.0
(mirrors leave out the v), ours have no v. What only looks like one can be written in the repository.
*/}}
{{- define "tidegate.image.foreign" -}}
{{- $image := .Values.controller.image -}}
{{- $tag := ternary "" (include "tidegate.text" $image.tag) (kindIs "invalid" $image.tag) -}}
{{- $named := contains "ingress-nginx" (default "" $image.image) -}}
{{- if include "tidegate.image.whole" $image.repository -}}
{{- else if regexMatch (ternary "^(controller-)?v?1\\.[0-9]+\\.[0-9]+" "^(controller-)?v1\\.[0-9]+\\.[0-9]+" $named) $tag -}}
true
{{- else if and $named $image.digest (not $tag) -}}
true
{{- end -}}
{{- end -}}

{{/*
Whether it cannot be told whose digest it is: the file names ingress-nginx's image, and the tag is ours, given beside it. With
that image's digest there would be no such image; without one of ours it could be any that is given our tag.
*/}}
{{- define "tidegate.image.anybodysDigest" -}}
{{- $image := .Values.controller.image -}}
{{- $own := or (include "tidegate.image.whole" $image.repository) (include "tidegate.image.foreign" .) -}}
{{- if and $image.digest (contains "ingress-nginx" (default "" $image.image)) (not $own) }}true{{ end -}}
{{- end -}}

{{- define "tidegate.controller.image" -}}
{{- $image := .Values.controller.image -}}
{{- if include "tidegate.image.foreign" . -}}
{{- $image = pick $image "repository" -}}
{{- end -}}
{{- include "tidegate.image" (list $image .Chart.AppVersion) -}}
{{- end -}}

{{/* What files written for ingress-nginx's chart call in affinity and topologySpreadConstraints. */}}
{{- define "ingress-nginx.name" -}}{{ include "tidegate.name" . }}{{- end -}}
{{- define "ingress-nginx.fullname" -}}{{ include "tidegate.fullname" . }}{{- end -}}
{{- define "ingress-nginx.controller.fullname" -}}{{ include "tidegate.controller.fullname" . }}{{- end -}}
{{- define "ingress-nginx.labels" -}}{{ include "tidegate.labels" . }}{{- end -}}
{{- define "ingress-nginx.selectorLabels" -}}{{ include "tidegate.selectorLabels" . }}{{- end -}}
