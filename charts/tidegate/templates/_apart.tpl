{{/* The labels of our Pods as YAML. */}}
{{- define "tidegate.podLabels" -}}
{{- $controller := .Values.controller -}}
{{- include "tidegate.labels.joined" (list (include "tidegate.labels" . | fromYaml) $controller.podLabels $controller.labels) -}}
{{- end -}}

{{/* Whether a label selector chooses what has these labels: (selector, labels). */}}
{{- define "tidegate.selects" -}}
{{- $labels := last . -}}
{{- $failed := list -}}
{{- range $label, $value := (first .).matchLabels -}}
{{- if not (and (hasKey $labels $label) (eq (get $labels $label) (toString $value))) }}{{ $failed = append $failed $label }}{{ end -}}
{{- end -}}
{{- range (first .).matchExpressions -}}
{{- $there := hasKey $labels .key -}}
{{- $among := and $there (has (get $labels .key) (default list .values)) -}}
{{- if not (get (dict "In" $among "NotIn" (not $among) "Exists" $there "DoesNotExist" (not $there)) .operator) }}{{ $failed = append $failed .key }}{{ end -}}
{{- end -}}
{{- if not $failed }}true{{ end -}}
{{- end -}}

{{/*
Whether a term of podAntiAffinity keeps our Pods apart from each other, also those before an update from those after it:
(root, term); lets, may let (what namespaces and Pods then are is not known here) or nothing.
*/}}
{{- define "tidegate.apart.term" -}}
{{- $root := first . -}}
{{- $term := last . -}}
{{- $chosen := $term.namespaceSelector -}}
{{- $everywhere := and (kindIs "map" $chosen) (empty $chosen) -}}
{{- $here := or $everywhere (has (include "tidegate.namespace" $root) (default list $term.namespaces)) (not (or $chosen $term.namespaces)) -}}
{{- $sameUpdate := has "pod-template-hash" (default list $term.matchLabelKeys) -}}
{{- if or (kindIs "invalid" $term.labelSelector) $sameUpdate (not (or $here $chosen)) -}}
{{- else if include "tidegate.selects" (list $term.labelSelector (include "tidegate.podLabels" $root | fromYaml)) -}}
{{- ternary "lets" "may let" (and $here (not (or $term.matchLabelKeys $term.mismatchLabelKeys))) -}}
{{- end -}}
{{- end -}}

{{/*
Whether Pods must be apart, while an update makes one more than there are: lets, may let or nothing, likewise. Where they are
on the node's ports, it does not.
*/}}
{{- define "tidegate.apart" -}}
{{- $controller := .Values.controller -}}
{{- $affinity := tpl (toYaml (default dict $controller.affinity)) . | fromYaml -}}
{{- $oneMore := not (or $controller.updateStrategy $controller.hostPort.enabled $controller.hostNetwork) -}}
{{- $found := list -}}
{{- if and (eq $controller.kind "Deployment") $oneMore -}}
{{- range ($affinity.podAntiAffinity).requiredDuringSchedulingIgnoredDuringExecution -}}
{{- $found = append $found (include "tidegate.apart.term" (list $ .)) -}}
{{- end -}}
{{- end -}}
{{- if has "lets" $found }}lets{{ else if has "may let" $found }}may let{{ end -}}
{{- end -}}
